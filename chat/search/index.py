"""The index of what was said: filled in from the texts that are new, by whoever searches and by Celery.

Triggers mark the entry of a text as stale when it is written. So writing a text costs nothing more, nothing that writes
one can forget the index, and one that was left half done goes on where it stopped.
"""

import time
from collections.abc import Collection, Iterable

from django.db import connection, transaction
from django.db.models.functions import Coalesce, Left

from chat.models import SearchEntry, SearchWord
from jarvis.lib.search.cutting import Term, cut_text, list_terms
from jarvis.lib.search.stems import read_stems
from jarvis.lib.search.typos import make_trigrams, may_be_mistyped
from jarvis.lib.search.vector import MAX_INDEXED_CHARS, list_inflected, write_tsvector
from jarvis.lib.sql import read_sql

TEXTS_PER_BATCH, MAX_CHARS_PER_BATCH = 50, 100_000  # that are indexed in one transaction
MESSAGES_PER_RANGE = 10_000  # ids of messages: a common word is looked for in the newest ranges first
MAX_SECONDS_PER_SEARCH = 0.3  # that a search spends on what was said since the last one; it begins no batch after it

STORE_WORDS_SQL = read_sql(__file__, "store_words")
UNUSED_WORDS_SQL = read_sql(__file__, "unused_words")


def index_new_texts(user_id: int | None = None, seconds: float = MAX_SECONDS_PER_SEARCH) -> int:
    """Index what is new, of one person or of all, until nothing is left or the time is over; how many texts that was.

    Two at once share the work: each passes over what the other is at.
    """
    until = time.monotonic() + seconds
    count = 0
    stale = SearchEntry.objects.filter(stale=True)
    mine = stale if user_id is None else stale.filter(owner_id=user_id)
    while mine.exists() and (indexed := index_batch(user_id)):
        count += indexed
        if time.monotonic() > until:
            break
    return count


@transaction.atomic
def index_batch(user_id: int | None) -> int:
    stale = SearchEntry.objects.filter(stale=True).select_for_update(skip_locked=True, no_key=True)
    # The newest first, since they are what people look for.
    chosen = stale.order_by("-id") if user_id is None else stale.filter(owner_id=user_id).order_by("-id")
    ids = list(chosen.values_list("id", flat=True)[:TEXTS_PER_BATCH])
    # Read after they are locked: a text that changes later marks its entry again, when this is done.
    entries = SearchEntry.objects.filter(id__in=ids)
    said = Coalesce(Left("message__text", MAX_INDEXED_CHARS), "conversation__title")
    texts = take_texts(entries.order_by("-id").values_list("id", "owner_id", "message_id", said))
    terms = {id: list_terms(cut_text(text)) for id, (*_, text) in texts.items()}
    stems = read_stems({word for some in terms.values() for word in list_inflected(some)})
    with connection.cursor() as cursor:
        cursor.executemany(
            STORE_WORDS_SQL,
            [(write_tsvector(some, stems, make_labels(*texts[id][:2])), id) for id, some in terms.items()],
        )
    words: dict[int, set[str]] = {}
    for id, some in terms.items():
        words.setdefault(texts[id][0], set()).update(list_whole_words(some))
    for owner_id in sorted(words):
        add_words(owner_id, words[owner_id])
    return len(texts)


def make_labels(owner_id: int, message_id: int | None) -> list[str]:
    """Whose a text is, and whether it is a title or in which range of messages it is."""
    if message_id is None:
        return [title_label(owner_id)]
    return [owner_label(owner_id), range_label(owner_id, message_id // MESSAGES_PER_RANGE)]


def title_label(owner_id: int) -> str:
    return f"=title.{owner_id}"


def owner_label(owner_id: int) -> str:
    return f"={owner_id}"


def range_label(owner_id: int, number: int) -> str:
    return f"={owner_id}.{number}"


def take_texts(rows: Iterable[tuple[int, int, int | None, str]]) -> dict[int, tuple[int, int | None, str]]:
    """Texts with their owners and messages, by the ids of their entries: so many as are not too long together, one at
    least."""
    texts: dict[int, tuple[int, int | None, str]] = {}
    chars = 0
    for id, owner_id, message_id, text in rows:
        chars += len(text)
        if texts and chars > MAX_CHARS_PER_BATCH:
            break
        texts[id] = owner_id, message_id, text
    return texts


def list_whole_words(terms: Iterable[Term]) -> set[str]:
    return {term.text for term in terms if term.is_word and may_be_mistyped(term.text)}


def add_words(owner_id: int, words: Collection[str]) -> None:
    """Keep the words that are new, for searches with a slip; in order, so that two at once cannot block each other."""
    known = set(SearchWord.objects.filter(owner_id=owner_id, word__in=words).values_list("word", flat=True))
    new = [SearchWord(owner_id=owner_id, word=word, trigrams=make_trigrams(word)) for word in sorted({*words} - known)]
    SearchWord.objects.bulk_create(new, ignore_conflicts=True)


def forget_unused_words(owner_ids: Collection[int]) -> None:
    """Forget the words that nothing of these people has any more, when something of theirs was deleted for good."""
    with connection.cursor() as cursor:
        for owner_id in owner_ids:
            cursor.execute(UNUSED_WORDS_SQL, [owner_id, owner_id])
