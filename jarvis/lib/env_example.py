"""The text of `.env.example`, made from the configuration: `python -m jarvis.lib.env_example > .env.example`."""

from typing import Any

from jarvis.lib.config import BASE, variable_name
from jarvis.lib.config_sections import SECTIONS

HEAD = """\
# Settings of Jarvis. Copy this file to .env and take the # from what you change; the environment goes before .env.
# Every line shows the default.
"""


def format_default(value: Any) -> str:
    """A default as it would be written; paths are relative to the project."""
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removeprefix(f"{BASE}/")


def make_example() -> str:
    lines = [HEAD]
    for section in SECTIONS:
        lines.append(f"### {section.__doc__}\n")
        for name, field in section.model_fields.items():
            lines.append(f"# {field.description}\n#{variable_name(name)}={format_default(field.default)}\n")
    return "\n".join(lines)


if __name__ == "__main__":
    print(make_example(), end="")
