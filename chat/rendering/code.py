"""Code in the colours of its language: spans with a few classes of our own."""

import re
import time
from collections.abc import Iterator
from functools import lru_cache
from html import escape
from itertools import groupby

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import (
    Comment,
    Generic,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    String,
    Token,
    _TokenType,
)

MAX_HIGHLIGHTED_CHARS = 20_000  # longer code is shown without colours
LONG_LINE = re.compile(r"[^\n]{1000}")  # nobody reads its colours, and some lexers take the square of its length
GAP = re.compile(r"\s{200}")  # some lexers look through a long gap again from each of its characters
# CPU time after which code is shown plain as well: so much for any code, and so much more for each character.
MIN_LEX_SECONDS = 0.02
LEX_SECONDS_PER_CHAR = 10e-6

# Names after a fence, and the lexer that is meant. A list, so that no text chooses among Pygments' hundreds of lexers.
LANGUAGES = {
    name: lexer
    for lexer, names in {
        "bash": "bash sh shell zsh",
        "console": "console shell-session terminal",
        "c": "c h",
        "cpp": "cpp c++ cc hpp",
        "csharp": "csharp c# cs",
        "css": "css",
        "scss": "scss",
        "dart": "dart",
        "diff": "diff patch",
        "docker": "docker dockerfile",
        "elixir": "elixir",
        "go": "go golang",
        "graphql": "graphql",
        "haskell": "haskell hs",
        "html": "html xhtml",
        "django": "django jinja jinja2",
        "http": "http",
        "ini": "ini cfg conf env",
        "java": "java",
        "javascript": "javascript js jsx mjs node",
        "json": "json jsonc json5 jsonl",
        "julia": "julia jl",
        "kotlin": "kotlin kt",
        "latex": "latex tex",
        "lua": "lua",
        "make": "make makefile",
        "matlab": "matlab octave",
        "nginx": "nginx",
        "perl": "perl pl",
        "php": "php",
        "powershell": "powershell ps1 pwsh",
        "protobuf": "protobuf proto",
        "python": "python py python3 py3",
        "pycon": "pycon",
        "r": "r",
        "ruby": "ruby rb",
        "rust": "rust rs",
        "scala": "scala",
        "sql": "sql mysql sqlite",
        "postgresql": "postgresql postgres psql plpgsql",
        "swift": "swift",
        "terraform": "terraform hcl tf",
        "toml": "toml",
        "typescript": "typescript ts tsx",
        "xml": "xml svg",
        "yaml": "yaml yml",
    }.items()
    for name in names.split()
}

# The first kind of token that fits gives the class.
KINDS: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (Keyword.Type, "t"),
    (Keyword.Constant, "m"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Tag, "k"),
    (Name.Attribute, "t"),
    (Name.Decorator, "d"),
    (Name.Builtin, "t"),
    (Name.Exception, "t"),
    (Name.Constant, "m"),
    (String, "s"),
    (Number, "m"),
    (Literal, "m"),
    (Generic.Inserted, "ins"),
    (Generic.Deleted, "gone"),
    (Generic.Heading, "k"),
    (Generic.Subheading, "f"),
    (Generic.Prompt, "c"),
    (Generic.Output, "c"),
)
CLASSES = frozenset(name for _, name in KINDS)


def highlight(code: str, language: str) -> str:
    """The code as HTML, escaped; coloured where the language is known and the code is not very long."""
    is_long = len(code) > MAX_HIGHLIGHTED_CHARS or LONG_LINE.search(code) or GAP.search(code)
    lexer = None if is_long else find_lexer(language.lower())
    if lexer is None:
        return escape(code, quote=False)
    parts = []
    try:
        for name, group in groupby(lex_in_time(lexer, code), key=lambda token: token[0]):
            text = escape("".join(text for _, text in group), quote=False)
            parts.append(f'<span class="{name}">{text}</span>' if name else text)
    except TimeoutError:
        return escape(code, quote=False)
    return "".join(parts)


def lex_in_time(lexer: Lexer, code: str) -> Iterator[tuple[str, str]]:
    """Classes and texts of the code's tokens. Some texts take some lexers a time that grows with its square."""
    until = time.thread_time() + MIN_LEX_SECONDS + len(code) * LEX_SECONDS_PER_CHAR
    for _, kind, text in lexer.get_tokens_unprocessed(code):
        if time.thread_time() > until:
            raise TimeoutError
        yield token_class(kind), text


@lru_cache(maxsize=64)
def find_lexer(language: str) -> Lexer | None:
    name = LANGUAGES.get(language)
    return get_lexer_by_name(name) if name else None


@lru_cache(maxsize=512)
def token_class(kind: _TokenType) -> str:
    if kind in Token.Error:
        return ""
    return next((name for base, name in KINDS if kind in base), "")
