"""Search in a person's conversations, over titles and texts: Postgres full text, in Spanish and English at once.

What can be written: words, all of which have to be there; `"a phrase"`; `-without`; `this or that`. The last word may
be unfinished, since people search while they type. Accents and capitals do not count.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from chat.models import Conversation, Message
from jarvis.lib.sql import read_sql

HITS_PER_PAGE = 30
MAX_HIT_OFFSET = 1000  # the last hit that a search can be asked for
MAX_QUERY_CHARS = 200  # of a search that count
MAX_RANKED_MESSAGES = 500  # of more hits the newest so many are ranked
MIN_PREFIX_CHARS = 3  # letters of an unfinished word; fewer are looked for as a word
SNIPPET_LEAD_CHARS, SNIPPET_CHARS = 60, 220  # characters shown before the first hit, and in all

TERM = re.compile(r'(?P<without>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))')
WORD = re.compile(r"[^\W_]+")

# Letters without their accents, the same for what is searched and for what is searched in: the migration 0006_search
# has written them into the database, so other letters need another migration.
ACCENTED_LETTERS = "áàâäãåéèêëíìîïóòôöõúùûüýÿñçÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÝŸÑÇ"
PLAIN_LETTERS = "aaaaaaeeeeiiiiooooouuuuyyncAAAAAAEEEEIIIIOOOOOUUUUYYNC"
PLAIN_BY_ACCENTED = str.maketrans(ACCENTED_LETTERS, PLAIN_LETTERS)

EITHER_LANGUAGE_SQL = read_sql(__file__, "search_either_language")  # values: the words, four times
ANY_FORM_SQL = read_sql(__file__, "search_any_form")  # values: the words, three times
PREFIX_SQL = "to_tsquery('simple', %s)"
HITS_SQL = read_sql(__file__, "search_hits")
STEMS_SQL = read_sql(__file__, "search_stems")


@dataclass(frozen=True, slots=True)
class SnippetPart:
    """A piece of a text, which is what was searched for or not."""

    text: str
    hit: bool


@dataclass(slots=True)
class SearchHit:
    """A conversation with hits: `message` is the best one, None where only the title has any."""

    conversation: Conversation
    message: Message | None
    hits: int
    title: list[SnippetPart] = field(default_factory=list)
    snippet: list[SnippetPart] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Term:
    words: tuple[str, ...]
    phrase: bool = False
    without: bool = False
    unfinished: bool = False

    def sql(self) -> tuple[str, list[str]]:
        """The term as an expression of the type tsquery, and its values."""
        words = " ".join(self.words)
        if self.without:
            return f"!! {ANY_FORM_SQL}", [words] * 3
        if self.unfinished:
            *whole, last = self.words
            return f"({ANY_FORM_SQL} || {PREFIX_SQL})", [words] * 3 + [" & ".join([*whole, f"{last}:*"])]
        if self.phrase:
            return ANY_FORM_SQL, [words] * 3
        return EITHER_LANGUAGE_SQL, [words] * 4


def fold(text: str) -> str:
    """A text without accents: as many characters as before, so that a place in one is the same place in the other."""
    return text.translate(PLAIN_BY_ACCENTED)


def parse_query(text: str) -> list[list[Term]]:
    """The terms of a search: one of the lists has to hold, and of it every term."""
    text = text.replace("\x00", " ")[:MAX_QUERY_CHARS]
    groups: list[list[Term]] = [[]]
    for match in TERM.finditer(text):
        if match["word"] and match["word"].lower() == "or" and not match["without"]:
            groups.append([])
            continue
        words = tuple(WORD.findall(fold(match["phrase"] or match["word"] or "").lower()))
        at_end = match["word"] is not None and not match["without"] and match.end() == len(text)
        unfinished = at_end and bool(words) and len(words[-1]) >= MIN_PREFIX_CHARS
        if words:
            groups[-1].append(Term(words, match["phrase"] is not None, match["without"] is not None, unfinished))
    return [group for group in groups if any(not term.without for term in group)]


def compile_query(groups: list[list[Term]]) -> str:
    """The tsquery as text, for statements whose planner is to know it; empty where it would find nothing."""
    if not groups:
        return ""
    either, either_values = join_terms([[term.sql() for term in group] for group in groups])
    plain = [[(ANY_FORM_SQL, [" ".join(term.words)] * 3) for term in group if not term.without] for group in groups]
    anyhow, anyhow_values = join_terms(plain)  # where all that is searched for are words such as `the`
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(nullif(({either})::text, ''), ({anyhow})::text)", either_values + anyhow_values
        )
        return str(cursor.fetchone()[0])


def join_terms(groups: list[list[tuple[str, list[str]]]]) -> tuple[str, list[str]]:
    sql = " || ".join("(" + " && ".join(f"({term})" for term, _ in group) + ")" for group in groups)
    return sql, [value for group in groups for _, values in group for value in values]


def search_conversations(user_id: int, text: str, limit: int = 30, offset: int = 0) -> list[SearchHit]:
    """A person's conversations that have hits, best first. Six queries, however many there are."""
    groups = parse_query(text)
    query = compile_query(groups)
    if not query:
        return []
    values: dict[str, Any] = {
        "owner": user_id,
        "query": query,
        "ranked": MAX_RANKED_MESSAGES,
        "limit": limit,
        "offset": offset,
    }
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        # The planner does not know what it costs to unpack the words of each message, which the index spares.
        cursor.execute("SELECT set_config('enable_seqscan', 'off', true)")
        cursor.execute(HITS_SQL, values)
        rows: list[tuple[UUID, int | None, int]] = cursor.fetchall()
    conversations = Conversation.objects.in_bulk([id for id, _, _ in rows])
    messages = Message.objects.defer("html").in_bulk([id for _, id, _ in rows if id is not None])
    there = [row for row in rows if row[0] in conversations]  # what is deleted meanwhile is not
    found = [SearchHit(conversations[id], messages.get(message or 0), hits) for id, message, hits in there]
    mark_hits([term for group in groups for term in group if not term.without], found)
    return found


def mark_hits(terms: list[Term], found: list[SearchHit]) -> None:
    """Fill in titles and snippets, cut into parts that are hits or not. One query for all their words."""
    texts = [(one, one.message.text if one.message else "") for one in found]
    written = {word for one, text in texts for source in (one.conversation.title, text) for word in split_words(source)}
    wanted = [word for term in terms for word in term.words]
    with connection.cursor() as cursor:
        cursor.execute(STEMS_SQL, [list(written | set(wanted))])
        stems = {word: (spanish, english) for word, spanish, english in cursor.fetchall()}
    beginnings = tuple(term.words[-1] for term in terms if term.unfinished)
    hits = {word for word in written if word.startswith(beginnings) or any(are_alike(stems, word, w) for w in wanted)}
    for one, text in texts:
        one.title = split_parts(one.conversation.title, hits)
        one.snippet = split_parts(make_snippet(text, hits), hits)


def are_alike(stems: dict[str, tuple[str, str]], one: str, other: str) -> bool:
    """Whether two words are forms of one, in either language."""
    if one == other:
        return True
    return any(a and a == b for a, b in zip(stems[one], stems[other], strict=True))


def split_words(text: str) -> Iterable[str]:
    return (match.group().lower() for match in WORD.finditer(fold(text[:100_000])))


def make_snippet(text: str, hits: set[str]) -> str:
    """The piece of a text around its first hit, on one line."""
    folded = fold(text[:100_000])
    first = next((m.start() for m in WORD.finditer(folded) if m.group().lower() in hits), 0)
    start = max(0, first - SNIPPET_LEAD_CHARS)
    if start:
        start = text.find(" ", start, first) + 1 or start
    piece = " ".join(text[start : start + SNIPPET_CHARS].split())
    return ("…" if start else "") + piece + ("…" if start + SNIPPET_CHARS < len(text) else "")


def split_parts(text: str, hits: set[str]) -> list[SnippetPart]:
    """A text cut into what was searched for and what was not."""
    made: list[SnippetPart] = []
    end = 0
    for match in WORD.finditer(fold(text)):
        if match.group().lower() in hits:
            made += [SnippetPart(text[end : match.start()], False)] if match.start() > end else []
            made.append(SnippetPart(text[match.start() : match.end()], True))
            end = match.end()
    return made + ([SnippetPart(text[end:], False)] if end < len(text) else [])
