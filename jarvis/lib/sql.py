"""SQL that Django cannot say, in `.sql` files beside the modules that run it."""

from pathlib import Path


def load_sql(module_file: str, name: str) -> str:
    """The text of a `.sql` file that lies beside a module; `module_file` is the module's `__file__`."""
    return Path(module_file).with_name(name).read_text(encoding="utf-8").strip()
