"""Tool calls as engines stream them, to tool calls as OpenAI streams them.

The same call comes in many shapes: its arguments in pieces or whole, as text or as an object; its index missing, or the
same for two calls; its id once, always or never. What comes out has an index of its own for each call, its id and name
once, and its arguments as text.
"""

import json
from typing import Any
from uuid import uuid4

import msgspec

from inference.openai.engine_values import UnreadableEvent, name_kind

MAX_CALLS = 512  # of one choice


class OpenCall:
    """A call that has begun: what is known of it, to tell the next piece of it from another call."""

    def __init__(self, index: int, engine_id: str, engine_index: int | None) -> None:
        self.index = index
        self.engine_id = engine_id
        self.engine_index = engine_index
        self.name = ""
        self.arguments = ""

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are a JSON value already, so that nothing can follow."""
        try:
            json.loads(self.arguments)
        except (ValueError, RecursionError):
            return False
        return True


class ToolCallReader:
    """The calls of one choice while they come."""

    def __init__(self) -> None:
        self.calls: list[OpenCall] = []

    def read(self, value: Any) -> list[dict[str, Any]]:
        """OpenAI's deltas for what a delta of the engine says under `tool_calls`. Raises UnreadableEvent."""
        if isinstance(value, str):
            try:
                value = msgspec.json.decode(value) if value.strip() else None
            except (msgspec.MsgspecError, RecursionError):
                raise UnreadableEvent("`tool_calls` is a text") from None
        if isinstance(value, dict):
            value = [value] if value else None
        if value is None or value is False:
            return []
        if not isinstance(value, list):
            raise UnreadableEvent(f"`tool_calls` is {name_kind(value)}")
        return [self._read_call(item) for item in value if item is not None]

    def check_whole(self) -> None:
        """Raise UnreadableEvent where a call has ended without a name, by which nobody could know what to call."""
        if any(not call.name for call in self.calls):
            raise UnreadableEvent("a tool call has no name")

    def _read_call(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise UnreadableEvent(f"a tool call is {name_kind(value)}")
        function = value.get("function")
        if not isinstance(function, dict):  # some put name and arguments beside the id
            name = function if isinstance(function, str) else value.get("name")
            function = {"name": name, "arguments": value.get("arguments")}
        engine_id, index = read_id(value.get("id")), read_index(value.get("index"))
        name, arguments = read_name(function.get("name")), read_arguments(function.get("arguments"))
        call = self._find(engine_id, index, name)
        delta: dict[str, Any] = {"index": 0}
        if call is None:
            if len(self.calls) >= MAX_CALLS:
                raise UnreadableEvent(f"there are more than {MAX_CALLS} tool calls")
            call = OpenCall(len(self.calls), engine_id, index)
            self.calls.append(call)
            delta |= {"id": engine_id or f"call_{uuid4().hex}", "type": "function"}
        delta["index"] = call.index
        delta["function"] = {"arguments": arguments}
        if name and not call.name:
            call.name = delta["function"]["name"] = name
        call.engine_id = call.engine_id or engine_id
        call.arguments += arguments
        return delta

    def _find(self, engine_id: str, index: int | None, name: str) -> OpenCall | None:
        """The call that a piece belongs to; None for the first piece of another one."""
        if not self.calls:
            return None
        if engine_id:
            for call in self.calls:
                if call.engine_id == engine_id:
                    return call
        places = [call for call in self.calls if call.engine_index == index] if index is not None else self.calls
        if not places:
            return None
        last = places[-1]
        if engine_id and last.engine_id:
            return None  # two ids are two calls, whatever their index
        if name and last.name and (name != last.name or last.is_whole):
            return None  # an engine without ids: a name begins a call, unless it is said again with each piece
        return last


def read_id(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def read_index(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def read_name(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise UnreadableEvent(f"the name of a tool call is {name_kind(value)}")


def read_arguments(value: Any) -> str:
    """A piece of text as it is; anything else as its JSON text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
