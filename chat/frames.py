"""The frames of `/ws/chat/`: pure shapes, one JSON object each, told apart by `type`. See docs/websocket.md."""

from collections.abc import Iterable, Iterator
from typing import Annotated
from uuid import UUID

import msgspec

from inference.entries import START, Begin, Choices, Cursor, End, Entry, Problem, Text, Usage

NO_CURSOR = str(START)
CursorText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}-[0-9]{1,10}$")]


class FromClient(msgspec.Struct, tag_field="type", tag=str.lower, forbid_unknown_fields=True):
    """What a client sends."""


class Ask(FromClient):
    """A question. The same `client_key` is asked once, however often it comes."""

    text: str
    client_key: UUID
    conversation: UUID | None = None
    model: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class Follow(FromClient):
    """Tell the answer of a generation, from after a cursor on."""

    generation: UUID
    after: CursorText = NO_CURSOR


class Unfollow(FromClient):
    generation: UUID


class Stop(FromClient):
    generation: UUID


class Ping(FromClient):
    pass


read = msgspec.json.Decoder(Ask | Follow | Unfollow | Stop | Ping).decode


class FromServer(msgspec.Struct, tag_field="type", tag=str.lower):
    """What a client gets."""


class Accepted(FromServer):
    """The question and its answer are in the queue, or were before."""

    client_key: UUID
    conversation: UUID
    title: str
    question: int
    answer: int
    generation: UUID


class Conversation(FromServer):
    """Something was asked in a conversation of this person, in this window or another."""

    conversation: UUID
    title: str
    question: int
    answer: int
    generation: UUID
    text: str
    client_key: UUID | None = None


class Began(FromServer, tag="begin"):
    """The answer begins, or goes on; `clear`: what was shown of it is void."""

    generation: UUID
    clear: bool


class Delta(FromServer):
    generation: UUID
    cursor: str
    text: str


class Ended(FromServer, tag="end"):
    generation: UUID
    cursor: str
    status: str
    finish_reason: str
    usage: Usage
    error: Problem | None = None


class State(FromServer):
    """The engine. `phase` is one of `inference.states.Phase`, or `absent` (no worker), or `unknown` (no Redis)."""

    phase: str
    detail: str = ""
    progress: float | None = None
    model: str = ""


class Error(FromServer):
    """What went wrong, and what to do; `reply_to` is the client_key or the generation that the frame named."""

    code: str
    message: str
    reply_to: UUID | None = None


class Pong(FromServer):
    pass


_encode = msgspec.json.Encoder().encode


def encode(frame: FromServer) -> str:
    return _encode(frame).decode()


def told(generation: UUID, batch: Iterable[tuple[Cursor, Entry]]) -> Iterator[FromServer]:
    """The frames for a batch of the log, with texts that follow each other in one."""
    texts: list[str] = []
    last = START
    for cursor, entry in batch:
        if text := text_of(entry):
            texts.append(text)
            last = cursor
        elif isinstance(entry, (Begin, End)):
            if texts:
                yield Delta(generation, str(last), "".join(texts))
                texts = []
            yield began_or_ended(generation, cursor, entry)
    if texts:
        yield Delta(generation, str(last), "".join(texts))


def text_of(entry: Entry) -> str:
    """What an entry adds to the text: of choices, what the first one says."""
    if isinstance(entry, Text):
        return entry.text
    if isinstance(entry, Choices):
        return "".join(
            c["delta"].get("content") or "" for c in entry.choices if c.get("index", 0) == 0 and c.get("delta")
        )
    return ""


def began_or_ended(generation: UUID, cursor: Cursor, entry: Begin | End) -> FromServer:
    if isinstance(entry, Begin):
        return Began(generation, entry.clear)
    return Ended(generation, str(cursor), entry.status, entry.finish_reason, entry.usage, entry.problem)
