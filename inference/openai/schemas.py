"""The shapes of a chat request: types and fixed ranges.

Messages and tools are lenient: clients put things of their own into them, and what is not named here is passed over.
Everything else is strict, since the engine would act on it.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

INT64 = 2**63 - 1
MAX_CALLS = 512  # tool calls in one message; as many as an answer may hold
MAX_CALL_ID_CHARS = 4096  # some gateways keep a signature of the reasoning in it
Number = Annotated[float, Meta(ge=-2, le=2)]
Speaker = Annotated[str, Meta(max_length=256, pattern=r"\A[^\s<|\\/>\x00-\x1f\x7f]*\Z")]
FunctionName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\A[\w.:/-]+\Z")]
CallId = Annotated[str, Meta(min_length=1, max_length=MAX_CALL_ID_CHARS)]
Label = Annotated[str, Meta(max_length=512)]


class StrictStruct(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A shape that refuses what it does not know."""


class LenientStruct(Struct, kw_only=True, gc=False):
    """A shape that passes over what it does not know."""


class TextPart(LenientStruct, tag_field="type", tag="text"):
    text: str


class InputTextPart(LenientStruct, tag_field="type", tag="input_text"):
    """As /v1/responses names text that goes in."""

    text: str


class OutputTextPart(LenientStruct, tag_field="type", tag="output_text"):
    """As /v1/responses names text that came out."""

    text: str


class RefusalPart(LenientStruct, tag_field="type", tag="refusal"):
    refusal: str


class ThinkingPart(LenientStruct, tag_field="type", tag="thinking"):
    """Reasoning among the parts: a text, or Mistral's list of text parts."""

    thinking: Any = None


class ReasoningPart(LenientStruct, tag_field="type", tag="reasoning"):
    text: Any = None


class RedactedPart(LenientStruct, tag_field="type", tag="redacted_thinking"):
    """Reasoning that only the server can read which made it."""


SaidPart = TextPart | InputTextPart | OutputTextPart
Content = str | Annotated[list[SaidPart], Meta(max_length=1000)]
AnswerPart = SaidPart | RefusalPart | ThinkingPart | ReasoningPart | RedactedPart


class System(LenientStruct, tag_field="role", tag="system"):
    content: Content | None
    name: Speaker | None = None


class Developer(LenientStruct, tag_field="role", tag="developer"):
    content: Content | None
    name: Speaker | None = None


class User(LenientStruct, tag_field="role", tag="user"):
    content: str | Annotated[list[SaidPart], Meta(min_length=1, max_length=1000)]
    name: Speaker | None = None


class CalledFunction(LenientStruct):
    """A call that was made: its name is whatever a model said, its arguments may be the object that they stand for."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    arguments: str | dict[str, Any] | None = None


class ToolCall(LenientStruct):
    id: CallId
    function: CalledFunction
    type: Literal["function"] | None = None


class Assistant(LenientStruct, tag_field="role", tag="assistant"):
    """Takes what Jarvis and other servers answer, so that a client can send a message back as it came."""

    content: str | Annotated[list[AnswerPart], Meta(max_length=1000)] | UnsetType | None = UNSET
    name: Speaker | None = None
    refusal: str | None = None
    reasoning: Any = None
    reasoning_content: Any = None
    tool_calls: Annotated[list[ToolCall], Meta(max_length=MAX_CALLS)] | None = None


class Tool(LenientStruct, tag_field="role", tag="tool"):
    tool_call_id: CallId
    content: Content | None = None
    name: Speaker | None = None


Message = System | Developer | User | Assistant | Tool


class Function(LenientStruct):
    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolDefinition(LenientStruct):
    function: Function
    type: Literal["function"] = "function"


class ChosenFunction(LenientStruct):
    name: Annotated[str, Meta(max_length=128)]


class ToolChoice(LenientStruct):
    function: ChosenFunction
    type: Literal["function"]


class TextFormat(StrictStruct, tag_field="type", tag="text"):
    pass


class ObjectFormat(StrictStruct, tag_field="type", tag="json_object"):
    pass


class NamedSchema(StrictStruct, omit_defaults=True):
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    schema: dict[str, Any]
    description: Annotated[str, Meta(max_length=16_384)] | None = None
    strict: bool | None = None


class SchemaFormat(StrictStruct, tag_field="type", tag="json_schema"):
    json_schema: NamedSchema


class StructuredOutputs(StrictStruct):
    """vLLM's own way to ask for a form; one of the three."""

    json: dict[str, Any] | str | None = None
    choice: list[str] | None = None
    json_object: bool | None = None


class StreamOptions(StrictStruct):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None  # padding against traffic analysis: accepted, not done
    continuous_usage_stats: bool | None = None


class TemplateArguments(StrictStruct):
    enable_thinking: bool | None = None
    thinking: bool | None = None


class Fields(Struct, kw_only=True, gc=False):
    """The accepted fields, their types and fixed ranges. Ranges that are settings are checked in `request`."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=1_000_000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    min_tokens: Annotated[int, Meta(ge=0)] | None = None
    ignore_eos: bool | None = None
    stop: str | list[str] | None = None
    n: Annotated[int, Meta(ge=1)] | None = None
    seed: Annotated[int, Meta(ge=-INT64, le=INT64)] | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[ToolDefinition] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: TextFormat | ObjectFormat | SchemaFormat | None = None
    structured_outputs: StructuredOutputs | None = None
    guided_json: dict[str, Any] | str | None = None
    guided_choice: list[str] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    chat_template_kwargs: TemplateArguments | None = None
    user: Label | None = None
    metadata: dict[str, Label] | None = None
    priority: Annotated[int, Meta(ge=-1000, le=1000)] | None = None
    modalities: list[Literal["text"]] | None = None
