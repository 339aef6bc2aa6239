"""Deltas to whole choices, for the row and for answers that are not streamed."""

from collections.abc import Iterable, Mapping
from typing import Any


class ToolCallBuilder:
    """One tool call; its id and name come once, its arguments in pieces."""

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def add(self, delta: Mapping[str, Any]) -> None:
        function = delta.get("function") or {}
        self.id = self.id or delta.get("id") or ""
        self.name = self.name or function.get("name") or ""
        if arguments := function.get("arguments"):
            self.arguments.append(arguments)

    def result(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.id, "type": "function", "function": function}


class ChoiceBuilder:
    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {"content": [], "refusal": [], "reasoning": []}
        self.calls: dict[int, ToolCallBuilder] = {}
        self.logprobs: dict[str, list[Any]] = {}
        self.finish_reason: str | None = None

    def add(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or {}
        for name, pieces in self.texts.items():
            if piece := delta.get(name):
                pieces.append(piece)
        for place, call in enumerate(delta.get("tool_calls") or ()):
            self.calls.setdefault(call.get("index", place), ToolCallBuilder()).add(call)
        for name, entries in (choice.get("logprobs") or {}).items():
            if entries is not None:
                self.logprobs.setdefault(name, []).extend(entries)
        self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def text(self, name: str) -> str:
        return "".join(self.texts[name])

    def result(self, index: int, finish_reason: str) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.text("content") or (None if self.calls else ""),
            "refusal": self.text("refusal") or None,
        }
        if reasoning := self.text("reasoning"):
            message["reasoning"] = reasoning
        if self.calls:
            message["tool_calls"] = [call.result() for _, call in sorted(self.calls.items())]
        return {
            "index": index,
            "message": message,
            "logprobs": self.logprobs or None,
            "finish_reason": self.finish_reason or finish_reason,
        }


class Accumulator:
    """Merges what a generation's log tells, in order."""

    def __init__(self) -> None:
        self.merged: dict[int, ChoiceBuilder] = {}
        self.plain = True  # nothing came but text of choice 0

    def add_text(self, text: str) -> None:
        """Add plain text to choice 0."""
        self._choice(0).texts["content"].append(text)

    def add_choices(self, choices: Iterable[Mapping[str, Any]]) -> None:
        """Add delta choices of any kind."""
        for choice in choices:
            self._choice(choice["index"]).add(choice)
            self.plain = False

    def clear(self) -> None:
        """Forget everything: the answer starts again."""
        self.merged, self.plain = {}, True

    def content(self) -> str:
        """The text of choice 0."""
        return self._choice(0).text("content")

    def choices(self, finish_reason: str = "stop") -> list[dict[str, Any]]:
        """OpenAI choices with whole messages; `finish_reason` holds where no delta named one."""
        self._choice(0)
        return [choice.result(index, finish_reason) for index, choice in sorted(self.merged.items())]

    def _choice(self, index: int) -> ChoiceBuilder:
        if index not in self.merged:
            self.merged[index] = ChoiceBuilder()
        return self.merged[index]
