"""The HTML that is stored with an answer: marked with the version of the renderer that made it."""

from uuid import UUID

RENDERER_MARK = "<!--3-->"  # at the beginning of stored HTML; raise it with every change of rendering or sanitising


def mark_html(html: str) -> str:
    """HTML as it is stored."""
    return RENDERER_MARK + html


def is_current(html: str) -> bool:
    """Whether stored HTML was made by this version of the renderer. Where it was not, it has to be made again."""
    return html.startswith(RENDERER_MARK)


def footnote_scope(generation: UUID) -> str:
    """The part of footnote ids that makes an answer's differ from those of others on its page."""
    return generation.hex[:12]
