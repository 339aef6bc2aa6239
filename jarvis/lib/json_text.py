"""JSON as clients write it that do not keep to plain UTF-8: with a mark before it, or in another character set."""

import codecs
import re

# Marks that Windows writes before a text. RFC 8259 lets a reader pass over that of UTF-8. The longer ones come first.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE)
# No others: some codecs of Python take time that grows with the square of the text.
WIDE = {"utf-16": "utf-16", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be", "utf-32": "utf-32"}
NARROW = {"iso-8859-1": "latin-1", "latin1": "latin-1", "windows-1252": "cp1252", "iso-8859-15": "iso8859-15"}


def to_utf8(body: bytes, content_type: str = "") -> bytes:
    """The same text in UTF-8 and without a mark; what cannot be read comes back as it is, for its parser to refuse.

    A body that is UTF-8 counts as that whatever else is said of it, as JSON has to be.
    """
    mark = next((mark for mark in MARKS if body.startswith(mark)), b"")
    if mark == codecs.BOM_UTF8:
        return body[len(mark) :]
    named = CHARSET.search(content_type)
    charset = named[1].lower() if named else ""
    try:
        if mark:
            return body.decode(MARKS[mark]).encode()
        if charset in WIDE:
            return body.decode(WIDE[charset]).encode()
        if charset in NARROW and not is_utf8(body):
            return body.decode(NARROW[charset]).encode()
    except UnicodeDecodeError:
        pass
    return body


def is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
