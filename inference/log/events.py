"""What a generation's log holds: pure shapes, encoded as JSON.

An entry's place in the log is a `Cursor`, `(attempt, index)`. It is the id of the Redis stream entry as well, so Redis
itself refuses whatever is not newer than the last entry: a worker that lost its lease cannot write after its
successor's `Fence`, and publishing an entry again does no harm.
"""

from typing import Any, NamedTuple

import msgspec

MAX_DIGITS = 10  # of an attempt or an index, at most


class Cursor(NamedTuple):
    """A place in the log; compares in log order."""

    attempt: int
    index: int  # type: ignore[assignment]  # hides a tuple method that nobody needs here

    def __str__(self) -> str:
        return f"{self.attempt}-{self.index}"

    @classmethod
    def parse(cls, text: str | bytes) -> "Cursor":
        """Raise ValueError for anything but `attempt-index`, and for numbers that no log has.

        Redis refuses ids beyond 64 bits, and with them the whole command, which reads the logs of other viewers too.
        """
        attempt, dash, index = (text.decode() if isinstance(text, bytes) else text).partition("-")
        if not (dash and attempt.isdecimal() and index.isdecimal() and max(len(attempt), len(index)) <= MAX_DIGITS):
            raise ValueError("a cursor looks like 1-17")
        return cls(int(attempt), int(index))


START = Cursor(0, 0)


class Usage(msgspec.Struct, omit_defaults=True):
    """The engine's own token counts."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int | None = None  # of the completion; None: the engine does not say


class Problem(msgspec.Struct, omit_defaults=True):
    """Why a generation failed: a stable code word, a sentence that says what to do, and the parameter it belongs to."""

    code: str
    message: str
    param: str | None = None


class Fence(msgspec.Struct, tag="fence"):
    """A new attempt owns the log: entries of older attempts end here."""


class Begin(msgspec.Struct, tag="begin", omit_defaults=True):
    """The attempt starts to write. `clear`: what was there is void, the answer starts again.

    Otherwise it continues the entry `after`; a reader who has seen another last entry reads again from the start.
    """

    clear: bool = False
    after: Cursor | None = None


class Prompt(msgspec.Struct, tag="prompt"):
    """The ids of the prompt's tokens, by which another worker can continue, or at least count."""

    ids: list[int]


class Text(msgspec.Struct, tag="text", omit_defaults=True):
    """Plain text of choice 0 and the ids of its tokens; `tokens` counts them, also where the engine gives no ids."""

    text: str
    tokens: int = 0
    ids: list[int] = []


class Choices(msgspec.Struct, tag="choices", omit_defaults=True):
    """OpenAI delta choices as the engine sent them: tools, reasoning, log probabilities, several choices."""

    choices: list[dict[str, Any]]
    tokens: int = 0


class Finish(msgspec.Struct, tag="finish"):
    """The engine is done. Not yet the end: the answer is not stored."""

    reason: str
    usage: Usage


class End(msgspec.Struct, tag="end", omit_defaults=True):
    """The answer is stored. Nothing follows."""

    status: str
    finish_reason: str = ""
    usage: Usage = msgspec.field(default_factory=Usage)
    problem: Problem | None = None


Event = Fence | Begin | Prompt | Text | Choices | Finish | End
encode_event = msgspec.json.Encoder().encode
decode_event = msgspec.json.Decoder(Event).decode
