"""The frames of `/ws/chat/`: pure shapes, one JSON object each, which differ by `type`. See docs/websocket.md."""

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from inference.log.events import START, Problem, Usage
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import MAX_SYSTEM_PROMPT_CHARS

NO_CURSOR = str(START)
FIELD_OF_PARAM = {"message": "text"}  # where the API calls it otherwise
CursorText = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}-[0-9]{1,10}$")]
MessageId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
WITHOUT_NUL = r"^[^\x00]*$"
ModelName = Annotated[str, msgspec.Meta(max_length=200, pattern=WITHOUT_NUL)]
Prompt = Annotated[str, msgspec.Meta(max_length=MAX_SYSTEM_PROMPT_CHARS, pattern=WITHOUT_NUL)]
Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]


class FromClient(msgspec.Struct, tag_field="type", tag=str.lower, forbid_unknown_fields=True):
    """What a client sends."""


class Ask(FromClient):
    """A question. The same `client_key` is asked once, however often it comes; so with the other three that ask.

    Prompt and temperature are those of the conversation that the question begins; in one that is there, `Configure`.
    """

    text: str
    client_key: UUID
    conversation: UUID | None = None
    model: ModelName | None = None
    system_prompt: Prompt = ""
    temperature: Temperature | None = None


class Edit(FromClient):
    """Ask a question in other words; the former ones stay as a version of it."""

    message: MessageId
    text: str
    client_key: UUID
    model: ModelName | None = None


class Regenerate(FromClient):
    """Another answer to the same question."""

    message: MessageId
    client_key: UUID
    model: ModelName | None = None


class Continue(FromClient):
    """Continue an answer that was stopped, failed or reached its length limit."""

    message: MessageId
    client_key: UUID


class Show(FromClient):
    """Show this version of a message, with what came after it last."""

    message: MessageId


class Configure(FromClient):
    """A chat's model, prompt and temperature; what is left out stays. Empty or null: the person's or the site's."""

    conversation: UUID
    model: ModelName | msgspec.UnsetType = msgspec.UNSET
    system_prompt: Prompt | msgspec.UnsetType = msgspec.UNSET
    temperature: Temperature | msgspec.UnsetType | None = msgspec.UNSET


class Details(FromClient):
    """How long an answer took, and of how many tokens it is."""

    generation: UUID


class Follow(FromClient):
    """Stream the answer of a generation: as text, from after a cursor, or as HTML, from its first block."""

    generation: UUID
    after: CursorText = NO_CURSOR
    form: Literal["text", "html"] = msgspec.field(default="text", name="as")


class Unfollow(FromClient):
    generation: UUID


class Stop(FromClient):
    generation: UUID


class Ping(FromClient):
    pass


Asking = Ask | Edit | Regenerate | Continue
Other = Show | Configure | Details | Follow | Unfollow | Stop | Ping
decode_frame = msgspec.json.Decoder(Asking | Other).decode


class FromServer(msgspec.Struct, tag_field="type", tag=str.lower):
    """What a client gets."""


class Accepted(FromServer):
    """The question and its answer are in the queue, or were before.

    They come after the message `follows` (null: they are the first), in the place of whatever was shown there. The
    versions of a message are the ids of all messages in its place. The answer continues the one in `continues`.
    """

    client_key: UUID | None
    conversation: UUID
    title: str
    question: int
    answer: int
    generation: UUID
    model: str
    follows: int | None
    question_versions: list[int]
    answer_versions: list[int]
    continues: int | None


class QuestionAsked(Accepted, tag="conversation"):
    """Something was asked in a conversation of this person, in this window or another."""

    text: str


class Shown(FromServer):
    """Another version is shown in a conversation now; `leaf` is its last message."""

    conversation: UUID
    leaf: int


class Configured(FromServer):
    """What is set for a conversation now."""

    conversation: UUID
    model: str
    system_prompt: str
    temperature: float | None


class Detailed(FromServer, tag="details"):
    """Figures of an answer; times in seconds from the moment it was asked for, null where there is none yet."""

    generation: UUID
    model: str
    status: str
    asked_at: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    queue_seconds: float | None
    first_token_seconds: float | None
    seconds: float | None
    tokens_per_second: float | None
    temperature: float | None
    request_id: str = ""
    error_code: str = ""
    error: str = ""  # in the engine's words, for who may read what administrators see


class Queue(FromServer):
    """How many are served before a queued generation, itself counted, and in how many seconds it may begin."""

    generation: UUID
    position: int
    wait_seconds: int | None


class Growing(FromServer):
    """The conversations of this person in which answers grow or wait now: all of them, when that changes."""

    conversations: list[UUID]


class Changed(FromServer):
    """The present state of a conversation that was changed; without an id: many were, load the list again."""

    conversation: UUID | None = None
    title: str = ""
    folder: str = ""
    pinned: bool = False
    archived: bool = False
    deleted: bool = False


def make_changed(conversation: Any) -> Changed:
    """The frame with the present state of a conversation (of `chat.models`)."""
    c = conversation
    return Changed(c.id, c.title, c.folder, pinned=c.pinned, archived=c.archived, deleted=c.deleted)


class Began(FromServer, tag="begin"):
    """The answer begins, or continues after a pause; `clear`: its text so far is void."""

    generation: UUID
    clear: bool


class Delta(FromServer):
    generation: UUID
    cursor: str
    text: str


class Html(FromServer, omit_defaults=True):
    """Blocks of the answer, rendered. Where some are there already at this place, these take it."""

    generation: UUID
    first: int = 0  # blocks before these
    blocks: list[str] = []
    open: str | None = None  # the block that is still growing, which is the last; None: it is as it was
    tail: str = ""  # text to be added at the end of it


class Ended(FromServer, tag="end"):
    generation: UUID
    cursor: str
    status: str
    finish_reason: str
    usage: Usage
    error: Problem | None = None


class ModelState(msgspec.Struct):
    """One model, as the most advanced of its workers has it; `phase` and the rest as in `State`."""

    model: str
    phase: str
    progress: float | None = None
    detail: str = ""


class State(FromServer):
    """The engine. `phase` is one of `inference.worker_state.Phase`, or `paused`, `absent` (no worker), `unknown` (no
    Redis): that of the most advanced of `models`, which are those that have a worker.

    `ready` are the models that can answer at once.
    """

    phase: str
    detail: str = ""
    progress: float | None = None
    model: str = ""
    ready: list[str] = []
    models: list[ModelState] = []


class Error(FromServer):
    """What went wrong, and what to do. `reply_to` is the client_key of the refused frame, or else an id in it.

    `param`: the field that is at fault. `retry_after`: seconds until the same frame may be accepted. `request_id`: by
    which the log has it, where the fault is Jarvis's.
    """

    code: str
    message: str
    reply_to: UUID | int | None = None
    retry_after: float | None = None
    param: str | msgspec.UnsetType = msgspec.UNSET
    request_id: str | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def from_api_error(cls, error: ApiError) -> "Error":
        field = FIELD_OF_PARAM.get(error.param or "", error.param)
        return cls(error.code, error.message, retry_after=error.fields.retry_after, param=field or msgspec.UNSET)


class Pong(FromServer):
    pass


_encode = msgspec.json.Encoder().encode


def encode_frame(frame: FromServer) -> str:
    return _encode(frame).decode()
