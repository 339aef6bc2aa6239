"""What is told of a frame that cannot be read: which question it was, and which field is at fault."""

import re
from uuid import UUID

import msgspec

from chat import frames

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
# Names of a frame, the one that identifies it best first. In a text inside of the frame each quote has a backslash.
NAMED = [
    *(
        (re.compile(rf'(?<!\\)"{name}"\s*:\s*"([0-9a-fA-F-]{{32,36}})"'), UUID)
        for name in ("client_key", "generation", "conversation")
    ),
    (re.compile(r'(?<!\\)"message"\s*:\s*(\d{1,18})(?=\s*[,}])'), int),
]
FIELD = re.compile(r"(?:at `\$\.|field `)(\w+)")


def find_reply_to(text: str) -> UUID | int | None:
    """The id by which whoever sent it knows the frame, however odd the rest of it is; None where it has none."""
    for pattern, kind in NAMED:
        for found in pattern.finditer(text):
            try:
                return kind(found[1])  # type: ignore[no-any-return]
            except ValueError:
                continue
    return None


def explain_unreadable(error: Exception, text: str) -> frames.Error:
    """The answer to a frame that `frames.decode_frame` has refused."""
    field = FIELD.search(str(error))
    message = f"{error}. docs/websocket.md describes the frames."
    return frames.Error("invalid_frame", message, find_reply_to(text), param=field[1] if field else msgspec.UNSET)
