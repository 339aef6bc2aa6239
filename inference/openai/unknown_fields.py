"""What a server does not know of a request, read from its refusal.

Jarvis asks for more than OpenAI's API has (`return_token_ids`), and callers may send more as well (`top_k`). Most
servers pass over what they do not know, some refuse it. Then it is left out, unless the answer would be another one.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

UNKNOWN = re.compile(
    r"unknown|unrecogni[sz]ed|unexpected|unsupported|additional propert|extra (?:inputs?|fields?|arguments?)"
    r"|not (?:be )?(?:supported|permitted|allowed|accepted|recogni[sz]ed|a valid (?:field|parameter|property))"
    r"|(?:cannot|could not) find field|(?:no such|invalid) (?:field|parameter|argument|property)"
    r"|does not (?:support|accept|know|recogni[sz]e)",
    re.IGNORECASE,
)
A_VALUE = re.compile(r"unsupported[ _]value|only the default|must be (?:one of|at|less|greater|between)", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z_]\w*")
LISTS = ("messages", "tools")
DEEPER = re.compile(r"\[|\.\w")  # what follows says where in it

ADDED_FIELDS = frozenset(("return_token_ids", "stream_options"))  # by Jarvis itself; a refusal that names one means it
RENAMED_FIELDS = {"max_tokens": "max_completion_tokens"}  # OpenAI's newer models know only the second
MESSAGE_FIELDS = ("reasoning", "name")
TOOL_FIELDS = ("strict",)
# Without one of these the answer would not be what was asked for.
ESSENTIAL_FIELDS = frozenset(
    [
        "tools",
        "tool_choice",
        "response_format",
        "structured_outputs",
        "n",
        "stop",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "continue_final_message",
        "add_generation_prompt",
        "prompt",
    ]
)
NEVER_UNKNOWN = frozenset(("model", "messages", "stream"))


def find_unknown_field(message: str, param: str | None, body: Mapping[str, Any]) -> str | None:
    """The name in a request that a refusal says its server does not know; None where it is about something else.

    A name that only messages or tools have stands for all of them.
    """
    said_unknown = UNKNOWN.search(message) is not None and A_VALUE.search(message) is None
    path = WORD.findall((param or "").removeprefix("body."))
    for name in list_names(path, message):
        if name in ADDED_FIELDS and name in body:
            return name
        if said_unknown and name not in NEVER_UNKNOWN and (name in body or is_inside(name, body)):
            return name
    return None


def list_names(path: list[str], message: str) -> Iterator[str]:
    """What may be the name of a field: the parameter, then words of the message that are written like names."""
    if path and path[0] not in LISTS:
        yield path[0]
    yield from path[-1:]
    for found in WORD.finditer(message):
        if found[0] in LISTS and DEEPER.match(message, found.end()):
            continue
        before = message[: found.start()].rstrip(".")
        if "_" in found[0] or before.endswith(("'", '"', "`", ": ", "body")):
            yield found[0]


def is_inside(name: str, body: Mapping[str, Any]) -> bool:
    if name in MESSAGE_FIELDS:
        return any(name in message for message in body.get("messages", ()))
    return name in TOOL_FIELDS and any(name in tool["function"] for tool in body.get("tools", ()))


def leave_out(body: dict[str, Any], unknown: Collection[str]) -> dict[str, Any]:
    """The same request without what its server does not know."""
    if not unknown:
        return body
    result = {name: value for name, value in body.items() if name not in unknown}
    for name in unknown & RENAMED_FIELDS.keys() & body.keys():
        result[RENAMED_FIELDS[name]] = body[name]
    if inner := [name for name in MESSAGE_FIELDS if name in unknown]:
        result["messages"] = [without(message, inner) for message in result.get("messages", ())]
    if "tools" in result and (inner := [name for name in TOOL_FIELDS if name in unknown]):
        result["tools"] = [tool | {"function": without(tool["function"], inner)} for tool in result["tools"]]
    return result


def without(value: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if name not in names}
