"""Markdown to HTML: CommonMark with tables, task lists, footnotes, strikethrough, addresses, code and formulas."""

from collections.abc import Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.footnote import footnote_plugin

from chat.rendering.addresses import Addresses
from chat.rendering.code import highlight
from chat.rendering.emphasis import widen_emphasis
from chat.rendering.fences import fence_with_fences
from chat.rendering.math import add_formulas
from chat.rendering.mathml import render_formula
from chat.rendering.sanitise import is_allowed_picture, sanitise_html
from chat.rendering.tables import bounded_table
from chat.rendering.tags import add_tags

MAX_MARKDOWN_CHARS = 200_000  # a longer text is shown as it is
MAX_INLINE_CHARS = 30_000  # in a longer paragraph, emphasis, links and the like are not parsed
MAX_NESTING = 20  # blocks in blocks

Tokens = Sequence[Token]


class Renderer(RendererHTML):
    """The HTML of tokens. Everything in it comes out of the sanitiser unchanged; see `sanitise`."""

    def heading_open(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        return f"<{lower_heading(tokens[index].tag)}>"  # below the page's own headings

    def heading_close(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        return f"</{lower_heading(tokens[index].tag)}>\n"

    def table_open(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        return '<div class="wide" tabindex="0"><table dir="auto">\n'

    def table_close(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>\n"

    def cell_open(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        token = tokens[index]
        side = str(token.attrs.get("style", "")).removeprefix("text-align:")
        return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"

    th_open = td_open = cell_open

    def fence(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        token = tokens[index]
        language = (token.info.split() or [""])[0][:30]
        code = highlight(token.content, language)
        head = f'<div class="head"><span class="lang">{escape(language)}</span></div>'
        return f'<div class="code">{head}<pre tabindex="0"><code>{code}</code></pre></div>\n'

    def code_block(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        return self.fence(tokens, index, options, env)

    def formula(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        token = tokens[index]
        if token.hidden:  # more of it may come
            return f'<pre class="plain">{escape(token.markup + token.content, quote=False)}</pre>\n'
        after = f"<p>{escape(token.info, quote=False)}</p>\n" if token.info else ""
        return f'<div class="formula" tabindex="0">{render_formula(token.content, block=True)}</div>\n{after}'

    def formula_inline(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        token = tokens[index]
        return render_formula(token.content, block=token.markup in ("$$", "\\["))

    def link_open(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        tokens[index].attrs["target"] = "_blank"
        return self.renderToken(tokens, index, options, env)

    def image(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        token = tokens[index]
        source = str(token.attrs.get("src", ""))
        words = self.renderInlineAsText(token.children, options, env)
        if is_allowed_picture(source):
            return f'<img src="{escape(source)}" alt="{escape(words)}" loading="lazy">'
        return f'<a class="picture" href="{escape(source)}" target="_blank">{escape(words or source, quote=False)}</a>'

    def task(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        done = tokens[index].info == "x"
        return f'<span class="task{" ticked" if done else ""}">{"☑" if done else "☐"}</span> '

    def tag(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        token = tokens[index]
        if token.tag == "li":
            return token.info
        return f"<{'/' if token.info == 'close' and token.tag != 'br' else ''}{token.tag}>"

    def details_close(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        after = tokens[index].info
        return "</details>\n" + (f"<p>{escape(after, quote=False)}</p>\n" if after else "")

    def summary_close(self, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
        return "</summary>\n"


def lower_heading(tag: str) -> str:
    return f"h{min(6, int(tag[1]) + 2)}"


def mark_tasks(state: StateCore) -> None:
    """Core rule: `[ ]` and `[x]` at the start of a list's item are boxes."""
    tokens = state.tokens
    for index in range(2, len(tokens)):
        inline = tokens[index]
        if inline.type != "inline" or tokens[index - 2].type != "list_item_open" or not inline.children:
            continue
        first = inline.children[0]
        if first.type == "text" and first.content[:4].lower() in ("[ ] ", "[x] "):
            box = Token("task", "", 0)
            box.info = first.content[1].lower()
            first.content = first.content[4:]
            tokens[index - 2].attrSet("class", "todo")
            inline.children.insert(0, box)


def mark_direction(state: StateCore) -> None:
    """Core rule: a list or a quote runs as its words do, so that its marks stand on their side. Paragraphs of their own
    direction inside need no mark; see `markdown.css`."""
    for token in state.tokens:
        if token.level == 0 and token.type in ("bullet_list_open", "ordered_list_open", "blockquote_open"):
            token.attrSet("dir", "auto")


def plain_if_long(state: StateCore) -> None:
    """Core rule: an endless paragraph is text, which costs nothing to look through."""
    for token in state.tokens:
        if token.type == "inline" and len(token.content) > MAX_INLINE_CHARS:
            text = Token("text", "", 0)
            text.content = token.content
            token.children = [text]
            token.type = "long"


def restore_long(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "long":
            token.type = "inline"


def make_parser(*, growing: bool) -> MarkdownIt:
    """`growing`: for texts of which more will come; footnotes are then left to the final rendering."""
    options = {"html": False, "linkify": True, "breaks": True, "maxNesting": MAX_NESTING}
    md = MarkdownIt("js-default", options, renderer_cls=Renderer)
    md.linkify = Addresses()
    md.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})  # `setup.py` is no address
    widen_emphasis(md)
    md.block.ruler.at("fence", fence_with_fences, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    md.block.ruler.at("table", bounded_table, {"alt": ["paragraph", "reference"]})
    add_tags(md)
    add_formulas(md, growing=growing)
    md.core.ruler.before("inline", "plain_if_long", plain_if_long)
    md.core.ruler.after("inline", "long_again", restore_long)
    md.core.ruler.after("inline", "tasks", mark_tasks)
    md.core.ruler.after("inline", "direction", mark_direction)
    if not growing:
        footnote_plugin(md, inline=False)
        for rule in (footnote_ref, footnote_block_open, footnote_open, footnote_anchor):
            md.add_render_rule(rule.__name__, rule)
    return md


def footnote_ref(self: RendererHTML, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
    name = footnote(tokens[index], env)
    number = tokens[index].meta["id"] + 1
    return f'<sup class="mark"><a href="#fn-{name}" id="fnref-{name}{occurrence(tokens[index])}">{number}</a></sup>'


def footnote_block_open(self: RendererHTML, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
    return '<section class="footnotes"><ol>\n'


def footnote_open(self: RendererHTML, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
    return f'<li id="fn-{footnote(tokens[index], env)}">'


def footnote_anchor(self: RendererHTML, tokens: Tokens, index: int, options: OptionsDict, env: Any) -> str:
    name = footnote(tokens[index], env) + occurrence(tokens[index])
    return f' <a class="back" href="#fnref-{name}">↩</a>'


def footnote(token: Token, env: Any) -> str:
    return f"{env['scope']}-{token.meta['id'] + 1}"


def occurrence(token: Token) -> str:
    return f":{token.meta['subId']}" if token.meta.get("subId") else ""


_whole = make_parser(growing=False)


def render_markdown(text: str, scope: str = "m") -> str:
    """A whole text as HTML that is safe to put into a page. `scope` makes the ids of its footnotes unique there."""
    if len(text) > MAX_MARKDOWN_CHARS:
        return render_plain(text)
    return sanitise_html(_whole.render(text, {"scope": scope}))


def render_plain(text: str) -> str:
    """A text as it is."""
    return sanitise_html(f'<pre class="plain">{escape(text, quote=False)}</pre>')
