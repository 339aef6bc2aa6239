"""The shapes of frames, without any socket."""

import uuid

import pytest

from chat import frames
from chat.ws.frame_errors import UNREADABLE, explain_unreadable
from jarvis.lib import api_errors


def test_frames_are_written_with_their_type():
    written = '{"type":"error","code":"c","message":"m","reply_to":null,"retry_after":null}'
    assert frames.encode_frame(frames.Error("c", "m")) == written
    assert frames.encode_frame(frames.Pong()) == '{"type":"pong"}'
    assert frames.encode_frame(frames.Began(uuid.uuid4(), False)).startswith('{"type":"begin"')


KEY = "6f0f3a3e-9c2d-4f43-8a53-2f7d7a8c5d11"
OTHER = "11111111-9c2d-4f43-8a53-2f7d7a8c5d11"
# The frame, and by what the answer names it and the field.
UNREADABLE_FRAMES = {
    "half an emoji": (r'{"type":"ask","text":"a \ud83d b","client_key":"KEY"}', KEY, None),
    "half an emoji behind its key": (r'{"client_key": "KEY", "type": "ask", "text": "\udc00"}', KEY, None),
    "a number for a text": ('{"type":"ask","text":7,"client_key":"KEY"}', KEY, "text"),
    "an unknown field": ('{"type":"ask","text":"x","client_key":"KEY","owner":1}', KEY, "owner"),
    "a missing field": ('{"type":"ask","text":"x"}', None, "client_key"),
    "an unknown type": ('{"type":"shout","client_key":"KEY"}', KEY, "type"),
    "no end": ('{"type":"ask","client_key":"KEY","text":"x', KEY, None),
    "a key that is none": ('{"type":"ask","client_key":"x","text":"x"}', None, "client_key"),
    "a key in a text": (r'{"type":"ask","text":"\"client_key\": \"OTHER\"","client_key":"KEY","a":1}', KEY, "a"),
    "only a key in a text": (r'{"type":"ask","text":"\"client_key\": \"OTHER\""}', None, "client_key"),
    "a message": ('{"type":"edit","message":12,"text":"x"}', 12, "client_key"),
    "the key before the message": ('{"type":"edit","message":12,"text":1,"client_key":"KEY"}', KEY, "text"),
    "a message with a point": ('{"type":"show","message":1.5}', None, "message"),
    "a conversation": ('{"type":"configure","conversation":"KEY","temperature":3}', KEY, "temperature"),
    "a generation": ('{"type":"follow","generation":"KEY","after":"x"}', KEY, "after"),
    "a key in capitals": ('{"type":"ask","text":1,"client_key":"UPPER"}', KEY, "text"),
    "no JSON": ("ask", None, None),
    "nothing": ("", None, None),
    "a list": ("[" * 10_000, None, None),
}


@pytest.mark.parametrize("name", UNREADABLE_FRAMES)
def test_the_error_of_an_unreadable_frame_names_the_frame_and_the_field(name):
    text, reply_to, param = UNREADABLE_FRAMES[name]
    text = text.replace("KEY", KEY).replace("OTHER", OTHER).replace("UPPER", KEY.upper())
    with pytest.raises(UNREADABLE) as caught:
        frames.decode_frame(text)
    error = explain_unreadable(caught.value, text)
    named = None if error.reply_to is None else error.reply_to if reply_to == 12 else str(error.reply_to)
    assert (error.code, named) == ("invalid_frame", reply_to)
    assert error.param == (param or frames.Error("", "").param)


def test_a_refusal_names_the_field_as_the_frame_does():
    assert frames.Error.from_api_error(api_errors.invalid_request("blank", "message")).param == "text"
    assert frames.Error.from_api_error(api_errors.model_not_found("x")).param == "model"
