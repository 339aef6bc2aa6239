"""The shapes of frames, without any socket."""

import uuid

from chat import frames


def test_frames_are_written_with_their_type():
    written = '{"type":"error","code":"c","message":"m","reply_to":null,"retry_after":null}'
    assert frames.encode_frame(frames.Error("c", "m")) == written
    assert frames.encode_frame(frames.Pong()) == '{"type":"pong"}'
    assert frames.encode_frame(frames.Began(uuid.uuid4(), False)).startswith('{"type":"begin"')
