"""A chat request: read, checked against the allow-list and the caps, ready for the queue and for the engine.

request = parse_chat_request(body, limits=limits)    # ApiError 400 or 403
Generation(request=request.to_row(), …)              # JSON
ChatRequest.from_row(row.request).engine_body()      # what the engine gets
"""

from typing import Any

import msgspec

from inference.openai import strict_json, validation
from inference.openai.answer_form import read_answer_form
from inference.openai.fields import ACCEPTED_FIELDS, IGNORED_FIELDS, OUR_FIELDS, REFUSED_FIELDS, WHOLE_NUMBERS
from inference.openai.messages import engine_messages
from inference.openai.schemas import Fields, ToolChoice
from inference.openai.validation import RequestLimits
from inference.openai.validation_errors import explain_validation_error, refuse_field
from jarvis.lib.api_errors import permission_denied

COMPLETION_FIELDS = frozenset(
    [
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "seed",
        "repetition_penalty",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "ignore_eos",
    ]
)
# With these the engine's text is not all of the answer, or lags behind the token ids, so ids alone cannot continue it.
CONTINUATION_HINDRANCES = frozenset(("tools", "logprobs", "response_format", "structured_outputs", "stop"))
# Objects of strict shapes, in which a name with null is as good as absent.
STRICT_OBJECTS = ("stream_options", "structured_outputs", "chat_template_kwargs")
MIN_TOP_P = 1e-6  # for 0, which OpenAI takes and vLLM does not: only the likeliest token is left


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One accepted request. `fields` are those for the engine, under the engine's names."""

    model: str
    fields: dict[str, Any]
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False  # with every event of a stream, as far as it has come
    priority: int = 0
    user: str = ""
    metadata: dict[str, str] = {}
    limit_name: str = "max_tokens"  # under which the caller has set a limit, if any

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.fields["messages"]
        return messages

    @property
    def max_tokens(self) -> int | None:
        """The caller's limit, if there is one."""
        limit: int | None = self.fields.get("max_tokens")
        return limit

    @property
    def can_continue(self) -> bool:
        """Whether an interrupted answer can be continued exactly, from its token ids.

        Penalties count the tokens of the answer, and a continuation takes those for a part of the prompt: at
        temperature 0, where an answer is promised to be the same, they stand in the way.
        """
        fields = self.fields
        if fields.get("n", 1) > 1 or not CONTINUATION_HINDRANCES.isdisjoint(fields):
            return False
        penalised = fields.get("presence_penalty") or fields.get("frequency_penalty")
        return not (penalised and fields.get("temperature") == 0)

    def engine_body(self, model: str | None = None, max_tokens: int | None = None) -> dict[str, Any]:
        """Body for the engine's /v1/chat/completions: always streamed, always with usage.

        `model` is the engine's name for the model where it differs; `max_tokens` holds where the caller set none.
        """
        body = {"model": model or self.model, **self.fields}
        if max_tokens is not None:
            body.setdefault("max_tokens", max_tokens)
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.can_continue:
            body["return_token_ids"] = True
        return body

    def continuation_body(
        self, prompt_ids: list[int], ids: list[int], model: str | None = None, max_tokens: int | None = None
    ) -> dict[str, Any]:
        """Body for the engine's /v1/completions that goes on after the tokens `ids`; for continuable requests.

        Without a limit it may run to the end of the context (null; the engine's default would be 16 tokens).
        """
        limit = self.max_tokens or max_tokens
        body = {name: value for name, value in self.fields.items() if name in COMPLETION_FIELDS}
        if (least := self.fields.get("min_tokens", 0) - len(ids)) > 0:
            body["min_tokens"] = least
        return body | {
            "model": model or self.model,
            "prompt": prompt_ids + ids,
            "max_tokens": limit - len(ids) if limit else None,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_token_ids": True,
        }

    def check_window(self, window: int) -> None:
        """Raise ApiError (400) for an answer that is to be longer than the model's context; 0: nobody knows that."""
        for name, tokens in ((self.limit_name, self.max_tokens), ("min_tokens", self.fields.get("min_tokens"))):
            if 0 < window < (tokens or 0):
                raise validation.length_refusal(name, window, ", as many as this model's context holds")

    def with_limit(self, max_tokens: int) -> "ChatRequest":
        """The same with a limit of the answer, where the caller has set none."""
        return msgspec.structs.replace(self, fields={"max_tokens": max_tokens} | self.fields)

    @property
    def is_continuation(self) -> bool:
        """Whether the answer goes on with the last message."""
        return bool(self.fields.get("continue_final_message"))

    def as_continuation(self) -> "ChatRequest":
        """The same, but the answer goes on with the last message instead of beginning a new one.

        Of a caller these fields are refused (`inference.openai.fields`); the page's "Continue" sets them.
        """
        own = {"continue_final_message": True, "add_generation_prompt": False}
        return msgspec.structs.replace(self, fields=self.fields | own)

    def to_row(self) -> dict[str, Any]:
        """A dict for a JSON column."""
        row: dict[str, Any] = msgspec.to_builtins(self)
        return row

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "ChatRequest":
        return msgspec.convert(row, cls)


def parse_chat_request(body: bytes, *, limits: RequestLimits = RequestLimits()) -> ChatRequest:  # noqa: B008 - it is frozen
    """The request in an HTTP body. Raises ApiError: 400 with the parameter named, 403 for `priority` without right."""
    return check_chat_request(strict_json.parse_object(body), limits=limits)


def check_chat_request(value: dict[str, Any], *, limits: RequestLimits = RequestLimits()) -> ChatRequest:  # noqa: B008
    """As `parse_chat_request`, for a request that was made inside Jarvis or is decoded already."""
    given = select_fields(value)
    try:
        fields = msgspec.convert(given, Fields)
    except msgspec.ValidationError as error:
        raise explain_validation_error(str(error)) from None
    validation.check_fields(fields, given, limits)
    form = read_answer_form(fields, limits.schema_bytes)
    if fields.priority and not limits.priority:
        raise permission_denied("set `priority`", "priority")
    engine = {name: item for name, item in given.items() if name not in OUR_FIELDS} | form
    engine["messages"] = engine_messages(fields.messages)
    if (limit := fields.max_completion_tokens or fields.max_tokens) is not None:
        engine["max_tokens"] = limit
    if fields.tools:
        engine["tools"] = validation.engine_tools(fields.tools)
    if isinstance(fields.tool_choice, ToolChoice):
        engine["tool_choice"] = {"type": "function", "function": {"name": fields.tool_choice.function.name}}
    options = fields.stream_options
    wants_usage = bool(options and options.include_usage)
    return ChatRequest(
        model=fields.model,
        fields=trim_fields(engine),
        stream=bool(fields.stream),
        include_usage=wants_usage,
        continuous_usage=bool(wants_usage and options and options.continuous_usage_stats),
        priority=fields.priority or 0,
        user=fields.user or "",
        metadata=fields.metadata or {},
        limit_name="max_completion_tokens" if fields.max_completion_tokens else "max_tokens",
    )


def select_fields(value: dict[str, Any]) -> dict[str, Any]:
    """The fields that say something. Raises ApiError (400) for one that is not accepted."""
    given = {name: item for name, item in value.items() if item is not None}
    if not given.keys() <= ACCEPTED_FIELDS:
        for name in [name for name in given if name not in ACCEPTED_FIELDS]:
            if name not in IGNORED_FIELDS and not (given[name] == [] and name in REFUSED_FIELDS):
                raise refuse_field(name)
            del given[name]
    for name in STRICT_OBJECTS:
        if isinstance(inner := given.get(name), dict):
            given[name] = {key: item for key, item in inner.items() if item is not None}
    for name in WHOLE_NUMBERS & given.keys():
        if isinstance(number := given[name], float) and number.is_integer():
            given[name] = int(number)  # JSON does not tell 5 from 5.0
    return given


def trim_fields(engine: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing, so that it does not count as a hindrance."""
    if not engine.get("logprobs"):
        engine.pop("logprobs", None)
        engine.pop("top_logprobs", None)
    for name in ("stop", "logit_bias", "chat_template_kwargs", "tools", "min_tokens", "ignore_eos"):
        if not engine.get(name):
            engine.pop(name, None)
    if "tools" not in engine:
        engine.pop("tool_choice", None)
        engine.pop("parallel_tool_calls", None)
    if engine.get("top_p") == 0:
        engine["top_p"] = MIN_TOP_P
    return engine
