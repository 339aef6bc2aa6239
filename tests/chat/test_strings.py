"""The page's words in both languages."""

import re
import string

from django.utils import translation

from chat.pages.strings import script_strings, suggestions
from jarvis.lib.config import BASE

SAME = {"jarvis", "model_ready", "seconds", "per_second"}  # words that are the same in both


def words(language):
    with translation.override(language):
        return script_strings(), suggestions(guide=True) + suggestions(guide=False)


def test_every_word_of_the_scripts_has_its_spanish_with_the_same_blanks():
    (english, offered), (spanish, offered_in_spanish) = words("en"), words("es")
    for name in english.keys() - SAME:
        assert spanish[name] != english[name]
        assert blanks(spanish[name]) == blanks(english[name])
    assert not set(offered) & set(offered_in_spanish)


def blanks(text):
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_every_word_that_a_script_says_is_given_to_it():
    said = set()
    for script in (BASE / "chat/static/chat").glob("*.js"):
        said |= set(re.findall(r"\bsay\(\s*\"(\w+)\"", script.read_text()))
    assert len(said) > 10
    assert said <= script_strings().keys()
