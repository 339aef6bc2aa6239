"""What a text is found by, as a tsvector that Postgres takes as it is."""

from collections.abc import Iterable, Sequence

from jarvis.lib.search.cutting import Term
from jarvis.lib.search.nodes import Stems, quote_lexeme
from jarvis.lib.search.query import is_inflected

MAX_INDEXED_CHARS = 100_000  # of a text
MAX_VECTOR_BYTES = 900_000  # of the tsvector; Postgres takes 1 MB
PLACES = 16_383  # that a tsvector knows; they begin anew where a text has more
MAX_PLACES_PER_TERM = 255


def list_inflected(terms: Iterable[Term]) -> set[str]:
    """The words of a text whose stems are needed."""
    return {term.text for term in terms if term.is_word and is_inflected(term.text)}


def write_tsvector(terms: Iterable[Term], stems: Stems, labels: Sequence[str] = ()) -> str:
    """The tsvector of a text, as text. Where it has too many terms the first of them are in it.

    `labels` say whose it is, or where: as lexemes, so that the index looks through no others. None begins as a term
    may.
    """
    places: dict[str, list[int]] = {}
    size = 0
    for term in terms:
        forms = (term.text, *stems.get(term.text, ())) if term.is_word else (term.text,)
        for form in dict.fromkeys(forms):
            if not form:
                continue
            known = places.get(form)
            if known is None:
                size += len(form.encode()) + 16
                if size > MAX_VECTOR_BYTES:
                    return format_vector(places, labels)
                known = places[form] = []
            if len(known) < MAX_PLACES_PER_TERM:
                size += 2
                known.append(term.place % PLACES + 1)
    return format_vector(places, labels)


def format_vector(places: dict[str, list[int]], labels: Sequence[str]) -> str:
    written = [f"{quote_lexeme(form)}:{','.join(map(str, found))}" for form, found in places.items()]
    return " ".join([*map(quote_lexeme, labels), *written])
