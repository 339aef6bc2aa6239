"""What a file `.env` holds, and what in it would otherwise be passed over without a word."""

import io
import logging
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

logging.getLogger("dotenv.main").addFilter(lambda _: False)  # what it warns of is among the faults
COMMENT_IN_VALUE = re.compile(r"=\s*[^\s\"'#].*?\s#")  # of a value without quotes


@dataclass
class EnvFile:
    """`values` by name, `places` such as `line 3 of .env`, and a sentence for each fault."""

    values: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read_env_file(path: Path, texts: Collection[str], *, required: bool = False) -> EnvFile:
    """The file at `path`. `texts`: names whose values are free text, in which a `#` may be meant as it stands.

    No fault shows what is in a line: it may be part of a secret.
    """
    if path.is_dir() or (required and not path.exists()):
        return EnvFile(faults=[f"JARVIS_ENV_FILE={path} is no file. Name another one, or none."])
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return EnvFile()
    except OSError as error:
        return EnvFile(faults=[f"{path} cannot be read: {error.strerror}. Mend that, or name another JARVIS_ENV_FILE."])
    except UnicodeDecodeError:
        return EnvFile(faults=[f"{path} is not in UTF-8. Save it in that encoding."])
    return parse_env_file(text, texts, path.name)


def parse_env_file(text: str, texts: Collection[str], name: str = ".env") -> EnvFile:
    found = EnvFile()
    for binding in parse_stream(io.StringIO(text)):
        # The parser counts from where it was after the line before, so empty lines belong to what follows them.
        line = binding.original.line + count_empty_lines(binding)
        if binding.error:
            found.faults.append(f"Line {line} of {name} cannot be read. It must be NAME=value, with quotes in pairs.")
        elif binding.key is not None and binding.value is None:
            found.faults.append(f"Line {line} of {name} has no value. It must be NAME=value.")
        elif binding.key is not None:
            found.places[binding.key] = f"line {line} of {name}"
            if binding.key.upper() in texts and COMMENT_IN_VALUE.search(binding.original.string):
                found.faults.append(
                    f"{binding.key} (line {line} of {name}): a blank and # begin a comment, and what follows would be "
                    f"left out. Put the value in quotes, or the comment on a line of its own."
                )
    values = dotenv_values(stream=io.StringIO(text))
    found.values = {key: value for key, value in values.items() if value is not None}
    return found


def count_empty_lines(binding: Binding) -> int:
    """With which a binding begins."""
    text = binding.original.string
    return text[: len(text) - len(text.lstrip())].count("\n")
