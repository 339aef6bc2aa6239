"""What a file that somebody downloads is called, in every script."""

import re
import unicodedata
from urllib.parse import quote

from django.utils.text import slugify

MAX_NAME_BYTES = 180  # of the name without its ending; file systems take 255
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f"*/:<>?\\|]+')  # on any of the systems that people have
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


def make_file_name(title: str, ending: str) -> str:
    """A title as the name of a file: what no system takes is a blank, and what cannot be seen is gone."""
    plain = unicodedata.normalize("NFC", FORBIDDEN.sub(" ", title))
    seen = "".join(c for c in plain if unicodedata.category(c) not in ("Cf", "Cs", "Cc") or c == "\u200d")
    name = cut_bytes(" ".join(seen.split()).strip(" ."), MAX_NAME_BYTES).strip(" .\u200d")
    if RESERVED.match(name):
        name = f"conversation {name}"
    return f"{name or 'conversation'}.{ending}"


def cut_bytes(text: str, limit: int) -> str:
    """As much of a text as fits, without half a character."""
    return text.encode()[:limit].decode(errors="ignore")


def content_disposition(name: str) -> str:
    """The header of a download, by RFC 6266: a plain name for old programs, and the real one."""
    stem, dot, ending = name.rpartition(".")
    plain = f"{slugify(stem)[:60] or 'conversation'}{dot}{ending}"
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"
