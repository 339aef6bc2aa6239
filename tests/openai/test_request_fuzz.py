"""Whatever comes, a request is either taken or refused with a reason: nothing else may escape."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from inference.openai.request import ChatRequest, parse_chat_request
from jarvis.lib.api_errors import ApiError
from tests.support.fuzz import NAMES, SOUND, VALUES, WORDS


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
