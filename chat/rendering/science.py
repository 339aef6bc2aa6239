r"""The small languages of `\ce` (chemistry) and of `\SI` and its kin (quantities), as LaTeX."""

import re

PREFIX_SIGNS = """quecto=q ronto=r yocto=y zepto=z atto=a femto=f pico=p nano=n micro=µ milli=m centi=c deci=d deca=da
hecto=h kilo=k mega=M giga=G tera=T peta=P exa=E zetta=Z yotta=Y"""
UNIT_SIGNS = """ampere=A candela=cd kelvin=K kilogram=kg meter=m metre=m mole=mol second=s becquerel=Bq degreeCelsius=°C
celsius=°C coulomb=C farad=F gray=Gy hertz=Hz henry=H joule=J lumen=lm katal=kat lux=lx newton=N ohm=Ω pascal=Pa
radian=rad siemens=S sievert=Sv steradian=sr tesla=T volt=V watt=W weber=Wb day=d hour=h minute=min hectare=ha liter=L
litre=L tonne=t electronvolt=eV gram=g degree=° percent=% angstrom=Å byte=B um=µm us=µs uA=µA uL=µL"""
PREFIXES = dict(pair.split("=") for pair in PREFIX_SIGNS.split())
UNITS = dict(pair.split("=") for pair in UNIT_SIGNS.split())  # others, such as `\km`, are their own sign
UNIT_PART = re.compile(r"\\([A-Za-z]+)\s*|(\^)\s*(?:\{([^{}]*)\}|(-?\w))|([./*~·])|([^\\^./*~·{}\s]+)|[{}\s]")
NUMBER = re.compile(r"([+-]?[\d.,\s]*)(?:[eEdD]([+-]?\d+))?")

ARROWS = {
    "<=>": r"\rightleftharpoons ", "<-->": r"\rightleftarrows ", "<->": r"\leftrightarrow ", "->": r"\rightarrow ",
    "<-": r"\leftarrow ", "=>": r"\Rightarrow ", "→": r"\rightarrow ", "⇌": r"\rightleftharpoons ",
}  # fmt: skip
CHEMISTRY = re.compile(
    r"(?P<math>\$[^$]*\$)"
    r"|(?P<arrow><=>|<-->|<->|->|<-|=>|[→⇌])(?:\[(?P<over>[^\]]*)\])?(?:\[(?P<under>[^\]]*)\])?"
    r"|(?P<sup>\^)(?:\{(?P<sup_in>[^{}]*)\}|(?P<sup_bare>[0-9]*[+-]|[0-9]+|[A-Za-z*•]?))"
    r"|(?P<sub>_)(?:\{(?P<sub_in>[^{}]*)\}|(?P<sub_bare>[0-9]+|[A-Za-z]?))"
    r"|(?P<space>\s+)|(?P<letters>[A-Z][a-z]*|[a-z]+)|(?P<digits>\d+(?:[./]\d+)?)|(?P<state>\((?:aq|s|l|g)\))"
    r"|(?P<command>\\[A-Za-z]+\s*|\\.)|(?P<other>.)",
    re.DOTALL,
)


def write_number(text: str) -> str:
    found = NUMBER.fullmatch(text.strip())
    if not found or not (found[1].strip() or found[2]):
        return text
    head = "{,}".join(found[1].replace(" ", "").split(","))
    if found[2] is None:
        return head
    power = f"10^{{{found[2].removeprefix('+')}}}"
    return rf"{head} \times {power}" if head else power


def write_unit(text: str) -> str:
    r"""A unit as `\kilo\meter\per\second`, `km/s` or `kg.m^2`."""
    parts: list[str] = []
    prefix, after_per = "", False
    for found in UNIT_PART.finditer(text):
        command, power_mark, power, digit, sign, word = found.groups()
        if command in PREFIXES:
            prefix += PREFIXES[command]
        elif command == "per":
            after_per = True
        elif command in ("squared", "cubed"):
            parts.append("^{2}" if command == "squared" else "^{3}")
        elif power_mark:
            parts.append(f"^{{{power or digit}}}")
        elif sign:
            parts.append("/" if sign == "/" else r"\cdot " if sign != "~" else r"\,")
        elif command or word:
            parts.append("/" if after_per else r"\," if command and parts and not prefix_before(parts) else "")
            parts.append(rf"\text{{{prefix}{UNITS.get(command, command) if command else word}}}")
            prefix, after_per = "", False
    return "".join(parts)


def prefix_before(parts: list[str]) -> bool:
    return parts[-1] in ("/", r"\cdot ", r"\,", "")


def write_chemistry(text: str) -> str:
    r"""A formula or reaction as of mhchem's `\ce`."""
    parts: list[str] = []
    follows = False  # a digit here counts atoms, a sign is a charge
    has_base = False  # a script here belongs to what came before
    places = list(CHEMISTRY.finditer(text))
    for index, found in enumerate(places):
        kind, word = found.lastgroup or "", found[0]
        ends_here = index + 1 == len(places) or places[index + 1].lastgroup == "space"
        if found["math"]:
            parts.append("{" + word[1:-1] + "}")
        elif found["arrow"]:
            parts.append(write_arrow(found))
        elif found["sup"]:
            inner = found["sup_in"] if found["sup_in"] is not None else found["sup_bare"]
            parts.append(r"\uparrow " if not inner else ("" if has_base else "{}") + f"^{{{inner}}}")
            has_base = bool(inner)
            continue
        elif found["sub"]:
            inner = found["sub_in"] if found["sub_in"] is not None else found["sub_bare"]
            parts.append(("" if has_base else "{}") + f"_{{{inner}}}")
            has_base = True
            continue
        elif kind == "letters":
            parts.append(r"\downarrow " if word == "v" and not follows and ends_here else rf"\text{{{word}}}")
        elif kind == "digits":
            atoms, dot, units = word.partition(".")
            water = rf"\cdot {units}\," if dot else ""  # of a hydrate
            parts.append(f"_{{{atoms}}}{water}" if follows else f"{word}\\,")
            has_base = follows = follows and not dot
            continue
        elif kind == "state":
            parts.append(rf"\text{{{word}}}")
        elif word in "+-" and follows and ends_here:
            parts.append(f"^{{{word}}}")
            continue
        elif kind == "space":
            parts.append(" ")
        elif word in "=#-" and follows:
            parts.append({"=": "{=}", "#": r"{\equiv}", "-": "{-}"}[word])
        elif word in ".*":
            parts.append(r"\cdot ")
        else:
            parts.append(
                word if kind == "command" or word in "()[]+-={},/" else rf"\text{{{word}}}" if word.isalnum() else ""
            )
        has_base = follows = kind == "letters" or word in (")", "]")
    return "{" + "".join(parts) + "}"


def write_arrow(found: re.Match[str]) -> str:
    arrow = ARROWS[found["arrow"]]
    over, under = (write_chemistry(found[name]) if found[name] else "" for name in ("over", "under"))
    arrow = rf"\overset{{{over}}}{{{arrow}}}" if over else arrow
    return rf" \underset{{{under}}}{{{arrow}}} " if under else f" {arrow} "
