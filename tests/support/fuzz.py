"""Values that a request may have, sound and not."""

from hypothesis import strategies as st

from inference.openai.fields import ACCEPTED_FIELDS, IGNORED_FIELDS, REFUSED_FIELDS

NAMED = """
    role content type text user assistant tool function name arguments tool_calls id json_schema schema properties
    pattern items enum $ref anyOf index image_url url parameters include_usage auto none
"""


WORDS = st.sampled_from(NAMED.split())


NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, -1, 2**31, 2**63, 2**64, 1e308]))


LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8), WORDS)


VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=5)
)


NAMES = st.sampled_from(sorted(ACCEPTED_FIELDS | IGNORED_FIELDS | REFUSED_FIELDS.keys())) | st.text(max_size=6)


SOUND = {"model": "guide", "messages": [{"role": "user", "content": "Hello"}]}
