"""The shapes of a chat request: types, fixed ranges, and nothing that is not named here."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

INT64 = 2**63 - 1
Number = Annotated[float, Meta(ge=-2, le=2)]
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\A[A-Za-z0-9_.:-]+\Z")]
FunctionName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\A[A-Za-z0-9_.-]+\Z")]
Label = Annotated[str, Meta(max_length=512)]


class StrictStruct(Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A shape that refuses what it does not know."""


class TextPart(StrictStruct, tag_field="type", tag="text"):
    text: str


class RefusalPart(StrictStruct, tag_field="type", tag="refusal"):
    refusal: str


Content = str | Annotated[list[TextPart], Meta(min_length=1, max_length=1000)]


class System(StrictStruct, tag_field="role", tag="system"):
    content: Content
    name: Name | None = None


class Developer(StrictStruct, tag_field="role", tag="developer"):
    content: Content
    name: Name | None = None


class User(StrictStruct, tag_field="role", tag="user"):
    content: Content
    name: Name | None = None


class CalledFunction(StrictStruct):
    name: FunctionName
    arguments: str


class ToolCall(StrictStruct):
    id: Annotated[str, Meta(min_length=1, max_length=128)]
    function: CalledFunction
    type: Literal["function"] = "function"
    index: int | None = None


class Assistant(StrictStruct, tag_field="role", tag="assistant"):
    """Takes what Jarvis itself answers, so that a client can send a message back as it came."""

    content: str | Annotated[list[TextPart | RefusalPart], Meta(min_length=1, max_length=1000)] | None = None
    name: Name | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    tool_calls: Annotated[list[ToolCall], Meta(min_length=1, max_length=128)] | None = None
    annotations: Annotated[list[Any], Meta(max_length=0)] | None = None
    audio: None = None
    function_call: None = None


class Tool(StrictStruct, tag_field="role", tag="tool"):
    content: Content
    tool_call_id: Annotated[str, Meta(min_length=1, max_length=128)]
    name: Name | None = None


Message = System | Developer | User | Assistant | Tool


class Function(StrictStruct):
    name: FunctionName
    description: Annotated[str, Meta(max_length=16_384)] | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolDefinition(StrictStruct):
    function: Function
    type: Literal["function"]


class ChosenFunction(StrictStruct):
    name: FunctionName


class ToolChoice(StrictStruct):
    function: ChosenFunction
    type: Literal["function"]


class TextFormat(StrictStruct, tag_field="type", tag="text"):
    pass


class ObjectFormat(StrictStruct, tag_field="type", tag="json_object"):
    pass


class NamedSchema(StrictStruct):
    name: FunctionName
    schema: dict[str, Any]
    description: Annotated[str, Meta(max_length=16_384)] | None = None
    strict: bool | None = None


class SchemaFormat(StrictStruct, tag_field="type", tag="json_schema"):
    json_schema: NamedSchema


class StreamOptions(StrictStruct):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None  # padding against traffic analysis: accepted, not done


class TemplateArguments(StrictStruct):
    enable_thinking: bool | None = None
    thinking: bool | None = None


class Fields(Struct, kw_only=True, gc=False):
    """The accepted fields, their types and fixed ranges. Ranges that are settings are checked in `request`."""

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=1_000_000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
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
    tools: Annotated[list[ToolDefinition], Meta(min_length=1)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: TextFormat | ObjectFormat | SchemaFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    chat_template_kwargs: TemplateArguments | None = None
    user: Label | None = None
    metadata: dict[str, Label] | None = None
    priority: Annotated[int, Meta(ge=-1000, le=1000)] | None = None
    modalities: list[Literal["text"]] | None = None
