"""The Markdown of an answer that grows, as HTML block by block: what is finished is rendered once.

A block at the top of the text is finished when a line that stands complete begins the next one: CommonMark decides the
shape of blocks line by line. The rest, mostly one open block, is rendered again as it grows; when it is long, only
after it has grown by a good part, so that the work stays in proportion to the text.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from markdown_it.token import Token

from chat.rendering.markdown import MAX_MARKDOWN_CHARS, make_parser, render_markdown, render_plain
from chat.rendering.sanitise import sanitise_html
from chat.rendering.tags import close_tags

MAX_SMALL_CHARS = 3_000  # of a rest that may be rendered whenever there is time
MAX_MEDIUM_CHARS = 12_000  # of a rest that is rendered after it has grown by an eighth; a longer one by half
MIN_SLICE_CHARS = 4_000  # that are rendered at a time

WORDS = re.compile(r"[^\W_ ]*(?:[ ,.;?!)'\"–—…][^\W_ ]*)*")  # text that can be added to a paragraph as it is
CODE = re.compile(r"[^`~]*")
FENCE_END = re.compile(r"^ {0,3}(?:`{3,}|~{3,})[ \t]*$", re.MULTILINE)
BLOCK_END = re.compile(r"\n[ \t]*\n(?=\S)(?![-*+] |\d{1,9}[.)] )|\n#{1,6} |\n(?:```|~~~)")

HALF_LINK = re.compile(r"!?\[([^\[\]\n]*)(?:\]\([^()\s]*)?$")
CODE_SPAN = re.compile(r"`[^`\n]+`")

_growing_parser = make_parser(growing=True)


class Slice(NamedTuple):
    """A text that may go on: HTML of the blocks in it that are finished and of the rest, and the source of that."""

    finished: list[str]
    open: str
    rest: str
    in_code: bool
    is_mended: bool  # the HTML of the rest has ends that its source has not


Render = Callable[[str], Slice]
RenderWhole = Callable[[str, str], str]


class Draft:
    """One answer as far as it has come."""

    def __init__(self) -> None:
        self.blocks: list[str] = []  # HTML of the blocks that are finished
        self.open = ""  # HTML of what is not
        self.tail = ""  # text that came since then and is shown as it is, at the end of what is open
        self._text: list[str] = []  # all that came
        self._size = 0
        self._rest = ""  # the source of `open`
        self._new: list[str] = []  # source that came since
        self._new_size = 0
        self._in_code = False
        self._mended = False
        self._may_look = True  # whether a line that may end the block is reason enough to render
        self._is_plain = False  # it takes too long: what is not finished is shown as it was written

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def pending_chars(self) -> int:
        """Characters that the next `render_new` goes through."""
        return len(self._rest) + min(self._new_size, self._slice)

    @property
    def _slice(self) -> int:
        return max(MIN_SLICE_CHARS, len(self._rest) // 2)

    @property
    def has_much_new(self) -> bool:
        """Whether one more `render_new` should follow at once: each takes up only one slice."""
        return self._new_size > self._slice and self._size <= MAX_MARKDOWN_CHARS and not self._is_plain

    @property
    def is_ripe(self) -> bool:
        """Whether `render_new` is worth its price now."""
        if not self._new_size or self._size > MAX_MARKDOWN_CHARS or self._is_plain:
            return False
        rest = len(self._rest)
        if rest <= MAX_SMALL_CHARS or self._new_size * (8 if rest <= MAX_MEDIUM_CHARS else 2) >= rest:
            return True
        return self._may_look and self._may_end()

    def _may_end(self) -> bool:
        if len(self._new) > 1:
            self._new = ["".join(self._new)]
        line = self._rest[self._rest.rfind("\n", -200) + 1 :] if self._in_code else self._rest[-100:]
        return (FENCE_END if self._in_code else BLOCK_END).search(line + self._new[0]) is not None

    def add(self, text: str) -> None:
        self._text.append(text)
        self._size += len(text)
        self._new.append(text)
        self._new_size += len(text)

    @property
    def has_hidden_text(self) -> bool:
        """Whether there is text that neither `open` nor `tail` shows."""
        return len(self.tail) < self._new_size

    def release_text(self, everything: bool) -> bool:
        """Show in `tail` what came, or as much of it as is plain words (in code: all but what may end it)."""
        if not self.has_hidden_text:
            return False
        new = "".join(self._new)
        self._new = [new]
        if everything:
            shown = new
        elif self._mended or (self._rest[-1:] in ("", "\n") and not self._in_code):
            return False
        else:
            found = (CODE if self._in_code else WORDS).match(new, len(self.tail))
            shown = new[: found.end()] if found else self.tail
        longer = len(shown) > len(self.tail)
        self.tail = shown if longer else self.tail
        return longer

    @property
    def next_source(self) -> str:
        """What the next `render_new` goes through."""
        return self._rest + clean_line_ends("".join(self._new)[: self._slice])

    def render_new(self, render: Render | None = None) -> None:
        """Render what came since the last time, or a slice of it, with what was not finished then.

        `render`: instead of `render_source`. What it raises is passed on, after which `give_up` is possible.
        """
        render = render or render_source
        long_before = len(self._rest) > MAX_SMALL_CHARS
        self._rest = source = self._rest + self._take_slice()
        found = render(source)
        self._rest, self._in_code, self._mended = found.rest, found.in_code, found.is_mended
        # All at once, and last: it is read while a thread is at work here.
        self.blocks, self.open, self.tail = [*self.blocks, *found.finished], found.open, ""
        # A line that looked like an end and was none is believed again only after the block has grown.
        self._may_look = len(found.rest) < len(source) or not long_before or not self._may_look

    def give_up(self) -> None:
        """Show as it was written, from now on, what is not finished."""
        self._is_plain, self._mended, self._in_code = True, False, False
        self.open = render_plain(self._rest) if self._rest else ""
        self.tail = ""

    def _take_slice(self) -> str:
        new = "".join(self._new)
        taken = new[: self._slice]
        if taken.endswith("\r"):  # its line feed may come next
            taken = taken[:-1]
        left = new[len(taken) :]
        self._new = [left] if left else []
        self._new_size = len(left)
        return clean_line_ends(taken)

    @property
    def last_source(self) -> str:
        """What `finish` goes through."""
        return text if "]:" in (text := self.text) else self._rest + "".join(self._new)

    def finish(self, scope: str, render: RenderWhole = render_markdown) -> bool:
        """Nothing more will come. Whether blocks that had been finished look different now, for what came after them.

        Only definitions of links and footnotes have that power.
        """
        text = self.text
        if ("]:" in text and not self._is_plain) or len(text) > MAX_MARKDOWN_CHARS:
            whole = render(text, scope) if len(text) <= MAX_MARKDOWN_CHARS else render_plain(text)
            last = whole.removeprefix("".join(self.blocks))
            changed = len(last) == len(whole) and bool(self.blocks)
            blocks = [whole] if changed else [*self.blocks, last]
        else:
            changed = False
            rest = self._rest + clean_line_ends("".join(self._new))
            blocks = [*self.blocks, render_plain(rest) if self._is_plain and rest else render(rest, scope)]
        self._rest, self._new, self._new_size = "", [], 0
        self.blocks, self.open, self.tail = [block for block in blocks if block], "", ""
        return changed


def render_source(source: str) -> Slice:
    """The text as far as it has come. It says nothing of what came before."""
    groups = list(group_blocks(_growing_parser.parse(source, {})))
    cut = count_finished_blocks(groups, source.count("\n"))
    done = [html for group in groups[:cut] if (html := render_group(group))]
    rest = source.split("\n", first_line(groups[cut]))[-1] if cut else source
    in_code = bool(groups) and groups[-1][0].type in ("fence", "code_block")
    mended = rest if in_code or len(rest) > MAX_SMALL_CHARS else close_markup(rest)
    left = groups[cut:] if mended == rest else list(group_blocks(_growing_parser.parse(mended, {})))
    return Slice(done, "".join(map(render_group, left)), rest, in_code, mended != rest)


def clean_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def group_blocks(tokens: list[Token]) -> Iterator[list[Token]]:
    """The tokens in groups, one for each block at the top of the text."""
    group: list[Token] = []
    for token in tokens:
        group.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield group
            group = []


def count_finished_blocks(groups: list[list[Token]], complete: int) -> int:
    """How many of the blocks will never change; `complete`: lines that stand complete."""
    for index in range(len(groups) - 1, 0, -1):
        first = groups[index][0]
        lines = 2 if first.type == "table_open" else 1  # a table is one for its second line
        if not first.hidden and first_line(groups[index]) + lines <= complete:
            return index
    return 0


def first_line(group: list[Token]) -> int:
    assert group[0].map is not None
    return group[0].map[0]


def render_group(group: list[Token]) -> str:
    return sanitise_html(_growing_parser.renderer.render(group, _growing_parser.options, {}))


def close_markup(source: str) -> str:
    """The source with an end for the emphasis, code or link that is still open in its last lines."""
    start = max(source.rfind("\n\n"), source.rfind("\n- "), source.rfind("\n* "), 0)
    head, last = source[:start], source[start:]
    words = CODE_SPAN.sub("", last)
    if words.count("`") % 2:
        return source + "`" if not source.endswith("`") else source.rstrip("`")
    last = close_tags(HALF_LINK.sub(r"\1", last))
    for mark in ("**", "~~"):
        if words.count(mark) % 2:
            bare = last.rstrip("*~ \n")
            last = bare + mark if not bare.endswith(mark) and not last.endswith(mark) else bare
            break
    return head + last
