"""An answer while it grows, and the buffer of what is told of it: pure state."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from inference.log.events import START, Begin, Choices, Cursor, Event, Fence, Finish, Prompt, Text, Usage
from inference.openai.accumulate import Accumulator


class EventBuffer:
    """The entries that make up a log, each with its place; kept until the end, since Redis may lose them."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self.events: list[tuple[Cursor, Event]] = []
        self.sent_count = 0
        self.texts: list[str] = []
        self.ids: list[int] = []
        self.tokens = 0

    def prepend_events(self, events: Iterable[tuple[Cursor, Event]]) -> None:
        """Put what a former attempt has told before everything else, to be told again if Redis loses it."""
        told = list(events)
        self.events[:0] = told
        self.sent_count += len(told)

    def add_text(self, text: str, tokens: int, ids: Iterable[int]) -> None:
        """Add text; all that is added before the next `take_new` becomes one entry."""
        self.texts.append(text)
        self.tokens += tokens
        self.ids.extend(ids)

    def add_event(self, event: Event) -> None:
        self.merge_text()
        last = self.events[-1][0] if self.events else START
        first = 0 if isinstance(event, Fence) else 1  # place 0 is for the fence alone
        index = last.index + 1 if last.attempt == self.attempt else first
        self.events.append((Cursor(self.attempt, index), event))

    def merge_text(self) -> None:
        if self.texts:
            entry = Text("".join(self.texts), self.tokens, self.ids)
            self.texts, self.tokens, self.ids = [], 0, []
            self.add_event(entry)

    def take_new(self) -> list[tuple[Cursor, Event]]:
        """What was added since the last call."""
        self.merge_text()
        new = self.events[self.sent_count :]
        self.sent_count = len(self.events)
        return new

    def keep_only(self, fit: Callable[[Event], bool]) -> None:
        """Leave out what is not fit to be told, and have the next `take_new` give everything else again."""
        self.merge_text()
        self.events = [(cursor, entry) for cursor, entry in self.events if fit(entry)]
        self.rewind()

    def rewind(self) -> None:
        """Have the next `take_new` give everything again."""
        self.sent_count = 0


class PartialAnswer:
    """What an engine has said so far in reply to one request."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything: the answer starts again."""
        self.texts: list[str] = []
        self.ids: list[int] = []
        self.ids_without_text: list[int] = []  # ids whose text has not come yet, for example half a character
        self.tokens = 0  # of the text that was told
        self.count = 0  # all that came, also those whose text has not
        self.prompt_ids: list[int] | None = None
        self.accumulator: Accumulator | None = None
        self.first_token_at: datetime | None = None
        self.finish: Finish | None = None

    @classmethod
    def restore(cls, events: Iterable[tuple[Cursor, Event]]) -> tuple["PartialAnswer", Cursor | None]:
        """The answer that a log tells, and the place of the last entry that is not a fence.

        A log that does not hang together, since Redis has lost a part of it, tells an empty answer.
        """
        answer, last, whole = cls(), None, False
        for cursor, entry in events:
            match entry:
                case Fence():
                    continue
                case Begin(clear=clear, after=after):
                    whole = clear or (after == last and (whole or last is None))
                    if clear:
                        answer.clear()
                case Prompt(ids=ids):
                    answer.prompt_ids = ids
                case Text(text=text, tokens=tokens, ids=ids):
                    answer.add_text(text, tokens, ids)
                    answer.count += tokens
                case Choices(choices=choices, tokens=tokens):
                    answer.add_choices(choices)
                    answer.count += tokens
                case Finish():
                    answer.finish = entry
                case _:
                    pass
            last = cursor
        return answer if whole else cls(), last

    @property
    def is_empty(self) -> bool:
        return not self.texts and self.accumulator is None

    @property
    def text(self) -> str:
        return "".join(self.texts) if self.accumulator is None else self.accumulator.content()

    @property
    def can_continue(self) -> bool:
        """Whether every token so far is known by its id."""
        return self.accumulator is None and self.prompt_ids is not None and len(self.ids) == self.tokens

    def add_text(self, text: str, tokens: int, ids: Iterable[int]) -> None:
        self.texts.append(text)
        self.tokens += tokens
        self.ids.extend(ids)
        if self.accumulator is not None:
            self.accumulator.add_text(text)

    def add_choices(self, choices: list[dict[str, Any]]) -> None:
        if self.accumulator is None:
            begun, self.accumulator = self.text, Accumulator()
            if begun:
                self.accumulator.add_text(begun)
        self.accumulator.add_choices(choices)

    def choices(self) -> list[dict[str, Any]] | None:
        """The OpenAI choices, where the answer is more than plain text."""
        if self.accumulator is None:
            return None
        return self.accumulator.choices(self.finish.reason if self.finish else "stop")

    def count_usage(self) -> Usage:
        """The tokens that came, where the engine did not get to finish; before the first, nothing is owed."""
        return Usage(len(self.prompt_ids or ()), self.count) if self.count else Usage()
