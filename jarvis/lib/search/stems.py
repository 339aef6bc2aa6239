"""The stems of words, by Postgres's own dictionaries."""

from collections.abc import Collection

from django.db import connection

from jarvis.lib.sql import read_sql

STEMS_SQL = read_sql(__file__, "stems")


def read_stems(words: Collection[str]) -> dict[str, tuple[str, str]]:
    """The stems of words in Spanish and English; empty where a language passes over the word. One query, or none."""
    if not words:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(STEMS_SQL, [list(words)])
        return {word: (spanish, english) for word, spanish, english in cursor.fetchall()}
