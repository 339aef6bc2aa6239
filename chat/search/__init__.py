"""Search in a person's conversations, over titles and texts. How texts are cut is in `jarvis.lib.search`."""

from chat.search.find import (
    HITS_PER_PAGE,
    MAX_HIT_OFFSET,
    SearchHit,
    asks_something,
    find_marks,
    search_conversations,
    write_query,
)

__all__ = [
    "HITS_PER_PAGE",
    "MAX_HIT_OFFSET",
    "SearchHit",
    "asks_something",
    "find_marks",
    "search_conversations",
    "write_query",
]
