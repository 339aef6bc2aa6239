r"""Commands of LaTeX packages that latex2mathml does not know, in terms of those that it knows.

Most are abbreviations. Expanding is one pass over the source, and over the arguments of what is expanded.
"""

import re
from collections.abc import Callable

from chat.rendering.science import write_chemistry, write_number, write_unit

MAX_DEPTH = 8  # commands in arguments of commands

COMMAND = re.compile(r"\\([A-Za-z]+)(\*?)")
LETTERS = re.compile(r"[A-Za-z0-9 .,/%°-]*")

# Number of arguments, and what stands for the command.
TEMPLATES = {
    "abs": (1, r"\left|#1\right|"),
    "norm": (1, r"\left\|#1\right\|"),
    "ket": (1, r"\left|#1\right\rangle"),
    "bra": (1, r"\left\langle#1\right|"),
    "braket": (1, r"\left\langle#1\right\rangle"),
    "dv": (2, r"\frac{\text{d}#1}{\text{d}#2}"),
    "pdv": (2, r"\frac{\partial #1}{\partial #2}"),
    "dd": (1, r"\,\text{d}#1"),
    "textcolor": (2, r"{\color{#1}{#2}}"),
    "ang": (1, r"#1^{\circ}"),
    "sout": (1, r"\cancel{#1}"),
    "cancelto": (2, r"{\cancel{#2}}^{#1}"),
    "mathscr": (1, r"\mathcal{#1}"),
    "mathds": (1, r"\mathbb{#1}"),
    "mathbbm": (1, r"\mathbb{#1}"),
    "pmb": (1, r"\boldsymbol{#1}"),
    "vb": (1, r"\mathbf{#1}"),
    "mathop": (1, r"#1"),
    "mathrel": (1, r"#1"),
    "mathbin": (1, r"#1"),
    "mathord": (1, r"#1"),
    "ensuremath": (1, r"#1"),
    "mathclap": (1, r"#1"),
    "label": (1, ""),
}
PLAIN = {
    "nicefrac": r"\frac",
    "sfrac": r"\frac",
    "degreeCelsius": r"{}^{\circ}\text{C}",
    "celsius": r"{}^{\circ}\text{C}",
    "displaylimits": r"\limits",
    "coloneqq": ":=",
    "Tr": r"\operatorname{Tr}",
    "R": r"\mathbb{R}",
    "N": r"\mathbb{N}",
    "Z": r"\mathbb{Z}",
    "Q": r"\mathbb{Q}",
}
NEGATED = {
    "=": r"\neq ",
    "in": r"\notin ",
    "subset": "⊄",
    "subseteq": "⊈",
    "equiv": "≢",
    "exists": r"\nexists ",
    "mid": "∤",
}
NOT = re.compile(r"\\not\s*(?:(=)|\\(in|subseteq|subset|equiv|exists|mid)(?![A-Za-z]))")


def expand_commands(source: str, depth: int = 0) -> str:
    """The source in commands that latex2mathml knows."""
    if "\\" not in source or depth > MAX_DEPTH:
        return source
    parts, done = [], 0
    source = NOT.sub(lambda found: NEGATED[found[1] or found[2]], source) if not depth else source
    for found in COMMAND.finditer(source):
        if found.start() < done or is_escaped(source, found.start()):
            continue
        count, make = find_command(found[1], found[2])
        taken = read_arguments(source, found.end(), count, braced=found[1] in LANGUAGES) if make else None
        if found[1] == "qty" and taken is None:
            make, taken = (lambda _: ""), ([], found.end())  # of another package: brackets that grow
        if make is None or taken is None:
            continue
        arguments, end = taken
        parts += [source[done : found.start()], make([expand(one, found[1], depth) for one in arguments])]
        done = end
    return "".join(parts) + source[done:]


def expand(argument: str, name: str, depth: int) -> str:
    """An argument with its own commands expanded, unless it is in a language of its own."""
    return argument if name in LANGUAGES else expand_commands(argument, depth + 1)


def find_command(name: str, star: str) -> tuple[int, Callable[[list[str]], str] | None]:
    """How many arguments a command takes, and what makes its replacement; None for one that is left alone."""
    if name in LANGUAGES:
        return LANGUAGES[name]
    if name in ("operatorname", "mathrm", "rm", "textrm", "mathup"):
        limits = "\\operatorname*" if star else "\\operatorname" if name == "operatorname" else "\\text"
        return 1, lambda given: write_upright(given[0], limits)
    if name in PLAIN and not star:
        return 0, lambda _: PLAIN[name] + " "
    if name in TEMPLATES:
        count, template = TEMPLATES[name]
        return count, lambda given: fill(template, given)
    return 0, None


def fill(template: str, arguments: list[str]) -> str:
    for number, argument in enumerate(arguments, 1):
        template = template.replace(f"#{number}", argument)
    return template


def is_escaped(source: str, pos: int) -> bool:
    """Whether the backslash there is the second of a pair, which begins a new line."""
    count = 0
    while count < pos and source[pos - 1 - count] == "\\":
        count += 1
    return count % 2 == 1


def read_arguments(source: str, pos: int, count: int, *, braced: bool = False) -> tuple[list[str], int] | None:
    """The arguments after a command, each in braces or, unless `braced`, one character; None where they are missing."""
    found = []
    for _ in range(count):
        while pos < len(source) and source[pos].isspace():
            pos += 1
        if pos >= len(source) or source[pos] in "}&^_" or (braced and source[pos] != "{"):
            return None
        if source[pos] != "{":
            command = COMMAND.match(source, pos)
            end = command.end() if command else pos + 1
            found.append(source[pos:end])
            pos = end
            continue
        depth, end = 0, pos
        while end < len(source):
            depth += (source[end] == "{") - (source[end] == "}")
            end += 2 if source[end] == "\\" else 1
            if depth == 0:
                break
        if depth:
            return None
        found.append(source[pos + 1 : end - 1])
        pos = end
    return found, pos


def write_upright(text: str, command: str) -> str:
    """Letters that stand upright, as one word; whatever is not only letters is left as it is."""
    is_name = command != r"\text"
    words = re.sub(r"\\[ ,;:!]|~", " " if is_name else "", text)
    if not LETTERS.fullmatch(words):
        return f"{command}{{{text}}}" if is_name else rf"\mathrm{{{text}}}"
    return f"{command}{{{words}}}" if is_name else f"{command}{{{words.replace(' ', '')}}}"


LANGUAGES: dict[str, tuple[int, Callable[[list[str]], str]]] = {
    "ce": (1, lambda given: write_chemistry(given[0])),
    "pu": (1, lambda given: write_unit(given[0])),
    "num": (1, lambda given: write_number(given[0])),
    "si": (1, lambda given: write_unit(given[0])),
    "unit": (1, lambda given: write_unit(given[0])),
    "SI": (2, lambda given: rf"{write_number(given[0])}\,{write_unit(given[1])}"),
    "qty": (2, lambda given: rf"{write_number(given[0])}\,{write_unit(given[1])}"),
    "SIrange": (
        3,
        lambda given: rf"{write_number(given[0])}\text{{–}}{write_number(given[1])}\,{write_unit(given[2])}",
    ),
    "numrange": (2, lambda given: rf"{write_number(given[0])}\text{{–}}{write_number(given[1])}"),
}
