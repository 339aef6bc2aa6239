"""A person's conversations that have what is searched for, with it marked.

Where nothing has all of it as it is written, words that are nearly the same count too: `lighthuose` finds a lighthouse.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from chat.models import Conversation, Message
from chat.search.index import MESSAGES_PER_RANGE, index_new_texts, owner_label, range_label, title_label
from jarvis.lib.search.marks import (
    WINDOW_CHARS,
    SnippetPart,
    choose_windows,
    cut_terms,
    find_spans,
    make_snippet,
    split_parts,
)
from jarvis.lib.search.nodes import Node, Span, list_words, quote_lexeme, write_tsquery
from jarvis.lib.search.query import Wanted, build_node, loosen, parse_query
from jarvis.lib.search.stems import read_stems
from jarvis.lib.search.typos import choose_similar, make_trigrams, may_be_mistyped
from jarvis.lib.search.vector import list_inflected
from jarvis.lib.sql import read_sql

HITS_PER_PAGE = 30
MAX_HIT_OFFSET = 1000  # the last hit that a search can be asked for
MAX_RANKED_MESSAGES = 300  # of more hits the newest so many are ranked
MANY_MESSAGES = 5_000  # of a person: a search that has enough hits in the newest of them looks no further
MAX_RANGES = 50  # of ids in which these are
STEM_START_CHARS = 2  # that all forms of a word have, nearly always
MAX_GUESSED_WORDS = 5  # of a search
MAX_MARKS_PER_MESSAGE = 200  # places of an opened message

HITS_SQL = read_sql(__file__, "hits")
NEWEST_RANGE_SQL = read_sql(__file__, "newest_range")
COUNT_NEWEST_SQL = read_sql(__file__, "count_newest")
SIMILAR_WORDS_SQL = read_sql(__file__, "similar_words")


@dataclass(slots=True)
class SearchHit:
    """A conversation with hits: `message` is the best one, None where only the title has any. `is_close`: it has not
    what was written, but what is nearly the same."""

    conversation: Conversation
    message: Message | None
    hits: int
    is_close: bool = False
    title: list[SnippetPart] = field(default_factory=list)
    snippet: list[SnippetPart] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for, and the same as Postgres has it."""

    node: Node | None
    tsquery: str
    is_close: bool = False


EMPTY_QUERY = Query(None, "")


def compile_query(groups: list[list[Wanted]], is_close: bool = False) -> Query:
    if not groups:
        return EMPTY_QUERY
    stems = read_stems({word for group in groups for wanted in group for word in list_words(wanted.node)})
    node = build_node(groups, stems)
    return EMPTY_QUERY if node is None else Query(node, write_tsquery(node, stems), is_close)


def asks_something(text: str) -> bool:
    """Whether there is anything in a search that could be found: not in `?!` or `""`."""
    return bool(parse_query(text))


def write_query(user_id: int, text: str) -> str:
    """A search as a tsquery, for a list that it narrows; empty where it asks for nothing."""
    index_new_texts(user_id)
    tsquery = compile_query(parse_query(text)).tsquery
    mine = " | ".join(quote_lexeme(label(user_id)) for label in (owner_label, title_label))
    return f"({mine}) & ({tsquery})" if tsquery else ""


def search_conversations(user_id: int, text: str, limit: int = 30, offset: int = 0) -> list[SearchHit]:
    """A person's conversations that have hits, best first. The same few queries, however many there are."""
    groups = parse_query(text)
    if not groups:
        return []
    index_new_texts(user_id)
    query = compile_query(groups)
    rows = read_hits(user_id, query, limit, offset)
    if not rows and not (offset and read_hits(user_id, query, 1, 0)):
        query = compile_query(loosen(groups, find_similar_words(user_id, groups)), is_close=True)
        rows = read_hits(user_id, query, limit, offset)
    conversations = Conversation.objects.in_bulk([id for id, _, _ in rows])
    messages = Message.objects.defer("html").in_bulk([id for _, id, _ in rows if id is not None])
    there = [row for row in rows if row[0] in conversations]  # what is deleted meanwhile is not
    found = [
        SearchHit(conversations[id], messages.get(message or 0), hits, query.is_close) for id, message, hits in there
    ]
    mark_hits(query.node, found)
    return found


def read_hits(user_id: int, query: Query, limit: int, offset: int) -> list[tuple[UUID, int | None, int]]:
    if not query.tsquery:
        return []
    query_text = query.tsquery
    values: dict[str, Any] = {
        "owner": user_id,
        "query": query_text,
        "titles": f"{quote_lexeme(title_label(user_id))} & ({query_text})",
        "ranked": MAX_RANKED_MESSAGES,
        "limit": limit,
        "offset": offset,
    }
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        # The planner does not know what it costs to unpack the words of each message, which the index spares.
        cursor.execute("SELECT set_config('enable_seqscan', 'off', true)")
        cursor.execute(HITS_SQL, values | {"mine": limit_to_newest(cursor, user_id, query_text)})
        rows: list[tuple[UUID, int | None, int]] = cursor.fetchall()
    return rows


def limit_to_newest(cursor: Any, user_id: int, tsquery: str) -> str:
    """The search among a person's messages: where they have many, and the newest of them have more hits than are
    ranked, only among these. So a word that is everywhere costs no more than another."""
    cursor.execute(NEWEST_RANGE_SQL, {"owner": user_id, "count": MANY_MESSAGES})
    newest, oldest = cursor.fetchone()
    ranges = range(oldest // MESSAGES_PER_RANGE, newest // MESSAGES_PER_RANGE + 1) if oldest is not None else ()
    if 0 < len(ranges) <= MAX_RANGES:
        labels = " | ".join(quote_lexeme(range_label(user_id, number)) for number in ranges)
        among = f"({labels}) & ({tsquery})"
        cursor.execute(COUNT_NEWEST_SQL, [among, MAX_RANKED_MESSAGES])
        if cursor.fetchone()[0] == MAX_RANKED_MESSAGES:
            return among
    return f"{quote_lexeme(owner_label(user_id))} & ({tsquery})"


def find_similar_words(user_id: int, groups: list[list[Wanted]]) -> dict[str, list[str]]:
    """For each word of a search that a person's conversations do not have those that may be meant."""
    words = dict.fromkeys(word for group in groups for w in group for word in w.words if may_be_mistyped(word))
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for word in list(words)[:MAX_GUESSED_WORDS]:
            values: dict[str, Any] = {"owner": user_id, "trigrams": make_trigrams(word), "chars": len(word)}
            cursor.execute(SIMILAR_WORDS_SQL, values)
            others = [other for (other,) in cursor.fetchall()]
            if word not in others:
                found[word] = choose_similar(word, others)
    return found


def mark_hits(node: Node | None, found: Sequence[SearchHit]) -> None:
    """Fill in titles and snippets, cut into parts that are hits or not. One query for the stems of their words; another
    where a hit is not where it was looked for first."""
    texts = {one.message.text for one in found if one.message}
    windows = {text: choose_windows(node, text) for text in texts}
    titles = {one.conversation.title for one in found}
    spans = find_in_texts(node, titles | {window.text for some in windows.values() for window in some})
    hits = {
        text: [(start + window.start, end + window.start) for window in some for start, end in spans[window.text]]
        for text, some in windows.items()
    }
    hits |= find_in_texts(node, {text for text, some in hits.items() if not some and len(text) > WINDOW_CHARS})
    for one in found:
        text = one.message.text if one.message else ""
        one.title = split_parts(one.conversation.title, spans[one.conversation.title])
        one.snippet = make_snippet(text, hits.get(text, []))


def find_in_texts(node: Node | None, texts: Collection[str]) -> dict[str, list[Span]]:
    if node is None:
        return {text: [] for text in texts}
    terms = {text: cut_terms(text) for text in texts}
    wanted = set(list_words(node))
    # Forms of one word begin alike; the stems of all others need not be known.
    beginnings = tuple({word[:STEM_START_CHARS] for word in wanted})
    words = {word for some in terms.values() for word in list_inflected(some) if word.startswith(beginnings)}
    stems = read_stems(words | wanted if words else ())
    return {text: find_spans(node, some, stems) for text, some in terms.items()}


def find_marks(user_id: int, text: str, searched: str) -> list[str]:
    """What a search has found in a text, as it stands there, each once: for the page, which marks it."""
    groups = parse_query(searched)
    spans = find_in_texts(compile_query(groups).node, [text])[text]
    if not spans:
        loose = compile_query(loosen(groups, find_similar_words(user_id, groups)))
        spans = find_in_texts(loose.node, [text])[text]
    return list(dict.fromkeys(text[start:end] for start, end in spans))[:MAX_MARKS_PER_MESSAGE]
