"""Fitting a conversation into the model's window: the system prompt and the newest messages stay, the oldest go."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

Message = dict[str, Any]
Count = Callable[[Sequence[Message]], Awaitable[int]]

MIN_ANSWER_TOKENS = (
    1024  # tokens kept free for the answer where no limit is named, or a quarter of the window if that is less
)
MAX_MESSAGE_OVERHEAD_TOKENS = 16  # tokens that a template puts around one message, at most
BYTES_PER_TOKEN = 3  # where the engine cannot count: fewer than text has, so that the estimate is high


def max_prompt_tokens(messages: Sequence[Message]) -> int:
    """No fewer tokens than the messages have: a token of a byte-level vocabulary is at least one byte."""
    return sum(len(str(message.get("content") or "").encode()) + MAX_MESSAGE_OVERHEAD_TOKENS for message in messages)


def estimate_prompt_tokens(messages: Sequence[Message]) -> int:
    return sum(
        len(str(m.get("content") or "").encode()) // BYTES_PER_TOKEN + MAX_MESSAGE_OVERHEAD_TOKENS for m in messages
    )


async def fit_messages(messages: Sequence[Message], window: int, limit: int | None, count: Count) -> list[Message]:
    """The messages that leave room for the answer. `count` gives tokens; it is asked about log2(messages) times.

    The last message is always kept: where it alone is too long, the engine says so.
    """
    room = window - min(limit or MIN_ANSWER_TOKENS, window // 4)
    if max_prompt_tokens(messages) <= room:
        return list(messages)
    system = [message for message in messages[:1] if message["role"] == "system"]
    rest = list(messages[len(system) :])
    fewest, most = 0, len(rest) - 1  # of the oldest that are left out
    while fewest < most:
        middle = (fewest + most) // 2
        if await count(system + rest[middle:]) <= room:
            most = middle
        else:
            fewest = middle + 1
    kept = rest[fewest:]
    while len(kept) > 1 and kept[0]["role"] != "user":
        del kept[0]  # an answer whose question is gone says nothing
    return system + kept
