"""SQL that Django cannot say lies in `.sql` files beside the module that runs it."""

from pathlib import Path


def read_sql(beside: str, name: str, **pieces: str) -> str:
    """The text of `name`.sql in the folder of `beside`, a module's `__file__`, without its lines of comments.

    Each `{piece}` in it is replaced by the text that is given for it.
    """
    lines = Path(beside).with_name(f"{name}.sql").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    for piece, value in pieces.items():
        text = text.replace(f"{{{piece}}}", value)
    return text
