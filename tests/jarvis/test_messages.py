"""The Spanish words: all there, and compiled as they are written. `make messages` brings them up to date."""

import ast
import gettext
import re

from jarvis.lib.config import BASE

FOLDER = BASE / "templates" / "locale" / "es" / "LC_MESSAGES"
APPS = ("accounts", "chat", "embeddings", "inference", "jarvis")
CALLS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
TAG = re.compile(r"{%\s*translate\s+(?:\"([^\"]+)\"|'([^']+)')")


def written():
    """`{msgid: [msgstr, …]}` of the .po file: one for each form of the plural, none where it is only a guess."""
    found = {}
    for block in (FOLDER / "django.po").read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith(("#~", "# ", "#.", "#:", "#|"))]
        fields, last = {}, ""
        for line in lines:
            if line.startswith("#,"):
                fields["fuzzy"] = "fuzzy" in line
                continue
            name, _, value = line.rpartition(' "') if not line.startswith('"') else (last, "", line[1:])
            fields[name] = fields.get(name, "") + ast.literal_eval(f'"{value}')
            last = name
        if fields.get("msgid"):
            found[fields["msgid"]] = (
                [] if fields.get("fuzzy") else [v for k, v in fields.items() if k.startswith("msgstr")]
            )
    return found


def said():
    """`(msgid, file)` for all words that the code and the templates have translated, as far as they are plain."""
    for path in (path for app in APPS for path in (BASE / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(word)), *_]) if name in CALLS:
                    yield word, path
    for path in (path for kind in ("*.html", "*.txt") for path in (BASE / "templates").rglob(kind)):
        for one, other in TAG.findall(path.read_text()):
            yield one or other, path


def test_every_word_has_its_spanish():
    spanish = written()
    missing = {f"{path.relative_to(BASE)}: {word!r}" for word, path in said() if not all(spanish.get(word) or [""])}
    assert len(spanish) > 300
    assert not missing, "`make messages`, then write the Spanish into templates/locale/es/LC_MESSAGES/django.po."


def test_the_spanish_is_compiled():
    with (FOLDER / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for word, forms in written().items():
        plural = len(forms) > 1
        told = [compiled.ngettext(word, word, number) if plural else compiled.gettext(word) for number in (1, 2)]
        assert told[: len(forms)] == forms, f"{word!r} is not compiled: run `make messages`."
