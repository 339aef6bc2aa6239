"""Cutting of texts and queries, without a database."""

import re
from itertools import combinations_with_replacement, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.lib.search.cutting import cut_text, split_rows
from jarvis.lib.search.marks import cut_terms, find_spans, make_snippet, split_parts
from jarvis.lib.search.nodes import write_tsquery
from jarvis.lib.search.query import build_node, parse_query
from jarvis.lib.search.typos import choose_similar, count_slips
from jarvis.lib.search.vector import MAX_VECTOR_BYTES, write_tsvector

ALPHABET = "aZé1Ω9 \n.-_/:@+#'\"会カｶﾞがกำั가ᄀ한ह्ि़ñé\u0301\u00ad\u200dŁßİﬁ²½®™🎉👍🏽️⃣€$=()[]{}<>|\\`~*&%^,;?!\x00\ud83d"
TEXTS = st.text(st.sampled_from(ALPHABET) | st.characters(), max_size=60)


def find(query, text):
    return find_spans(build_node(parse_query(query), {}), cut_terms(text), {})


@settings(max_examples=400, deadline=None)
@given(text=TEXTS)
def test_whatever_stands_in_a_text_is_found_there(text):
    for row in split_rows(cut_text(text)):
        for first, last in combinations_with_replacement(range(len(row)), 2):
            words = text[row[first].start : row[last].end]
            if re.search(r'[\s"“”„«»-]', words) or words.lower() == "or" or len(words) > 60:
                continue
            assert find(words, text), words
            assert find(f"{words} ", text), f"{words}, finished"


@settings(max_examples=200, deadline=None)
@given(text=TEXTS, query=TEXTS)
def test_marks_are_places_of_the_text_in_order(text, query):
    spans = find(query, text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert "".join(part.text for part in split_parts(text, spans)) == text
    make_snippet(text, spans)
    if (node := build_node(parse_query(query), {})) is not None:
        assert write_tsquery(node, {})


def test_a_text_of_any_length_fits_into_the_index():
    words = " ".join(f"{n:x}é/{n * 7919:x}" for n in range(60_000))
    assert len(write_tsvector(cut_terms(words), {}).encode()) < MAX_VECTOR_BYTES * 1.2


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("cat", "cat", 0),
        ("cat", "cta", 1),
        ("cat", "car", 1),
        ("cat", "cart", 1),
        ("cart", "cat", 1),
        ("abcd", "badc", 2),
    ],
)
def test_slips_are_counted(one, other, slips):
    assert count_slips(one, other, limit=3) == slips


def test_short_words_may_have_one_slip_and_long_ones_two():
    assert choose_similar("lighthuose", ["lighthouse", "lightness", "lighthuose"]) == ["lighthouse"]
    assert choose_similar("kubrenetse", ["kubernetes"]) == ["kubernetes"]
    assert choose_similar("haus", ["maus", "house", "hauen"]) == ["maus"]
