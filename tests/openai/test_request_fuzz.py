"""Whatever comes, a request is either taken or refused with a reason: nothing else may escape."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from inference.openai.errors import ApiError
from inference.openai.fields import ACCEPTED, IGNORED, REFUSED
from inference.openai.request import ChatRequest, parse_chat_request

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
NAMES = st.sampled_from(sorted(ACCEPTED | IGNORED | REFUSED.keys())) | st.text(max_size=6)
SOUND = {"model": "guide", "messages": [{"role": "user", "content": "Hello"}]}


def taken_or_refused(body):
    refusal: ApiError | None = None
    request: Any = None
    try:
        request = parse_chat_request(body)
    except ApiError as error:
        refusal = error
    if refusal is not None:
        assert refusal.status in (400, 403)
        assert refusal.message.endswith(".")
        json.dumps(refusal.body(), ensure_ascii=False).encode()
    else:
        row = json.dumps(request.to_row(), allow_nan=False)
        assert ChatRequest.from_row(json.loads(row)) == request
        json.dumps(request.engine_body(), ensure_ascii=False, allow_nan=False).encode()


@settings(max_examples=500)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_value_of_any_field(fields):
    taken_or_refused(json.dumps(SOUND | fields).encode())


@settings(max_examples=300)
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_any_message(message):
    taken_or_refused(json.dumps(SOUND | {"messages": [message]}).encode())


@settings(max_examples=300)
@given(st.dictionaries(WORDS, VALUES, max_size=5))
def test_any_schema(schema):
    wanted = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    taken_or_refused(json.dumps(SOUND | {"response_format": wanted}).encode())


@settings(max_examples=300)
@given(st.binary(max_size=40), st.integers(0, 200))
def test_any_bytes_put_into_a_sound_body(noise, place):
    body = json.dumps(SOUND).encode()
    place %= len(body) + 1
    taken_or_refused(body[:place] + noise + body[place:])
    taken_or_refused(body[:place] + noise)
