"""What a socket answers to each frame."""

import asyncio
import json
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from chat.models import Conversation, Message
from chat.ws.connections import Connections
from chat.ws.consumer import MAX_FOLLOWED_ANSWERS, MAX_FRAME_CHARS, ChatConsumer
from inference.log.follow import LogReader
from inference.models import Generation, LanguageModel
from inference.queue import position
from inference.redis.client import shared_client
from inference.redis.keys import log_key
from inference.redis.workers import publish_state
from inference.worker_state import EngineState, WorkerState
from jarvis.lib.config import config
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.live import list_tasks

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_question_is_accepted_and_its_answer_told_as_it_grows(open_as, alice, worker, fake):
    fake.settings.rate = 50
    socket = await open_as(alice)
    key = uuid.uuid4()
    accepted = await socket.ask("How are you?", client_key=key)
    assert (accepted["type"], accepted["client_key"], accepted["title"]) == ("accepted", str(key), "How are you?")
    text, end = await socket.receive_answer(accepted["generation"])
    assert text == numbered(16)
    assert (end["status"], end["finish_reason"], end["error"]) == ("done", "stop", None)
    assert end["usage"]["completion_tokens"] > 0
    assert sum(frame["type"] == "delta" for frame in socket.seen) > 3
    stored = await in_database(Message.objects.get, id=accepted["answer"])
    assert stored.text == numbered(16)
    question = await in_database(Message.objects.get, id=accepted["question"])
    assert (question.text, str(question.conversation_id)) == ("How are you?", accepted["conversation"])


async def test_an_answer_is_told_from_after_a_cursor(open_as, alice, worker):
    socket = await open_as(alice)
    accepted = await socket.ask()
    whole, _ = await socket.receive_answer(accepted["generation"])
    delta = next(frame for frame in socket.seen if frame["type"] == "delta")
    rest, _ = await socket.receive_answer(accepted["generation"], after=delta["cursor"])
    assert delta["text"] + rest == whole


async def test_an_answer_whose_log_is_gone_is_told_from_the_row(open_as, alice, worker):
    socket = await open_as(alice)
    accepted = await socket.ask()
    whole, _ = await socket.receive_answer(accepted["generation"])
    await shared_client().delete(log_key(uuid.UUID(accepted["generation"])))
    assert (await socket.receive_answer(accepted["generation"]))[0] == whole


async def test_the_same_client_key_is_asked_once_and_answered_alike(open_as, alice, model):
    one, other = await open_as(alice), await open_as(alice)
    key = uuid.uuid4()
    first, second = await asyncio.gather(one.ask(client_key=key), other.ask(client_key=key))
    assert first == second == await one.ask(client_key=key)
    assert await in_database(Generation.objects.count) == await in_database(Conversation.objects.count) == 1


async def test_a_second_question_goes_on_with_the_conversation(open_as, alice, worker, fake):
    socket = await open_as(alice)
    first = await socket.ask("one")
    await socket.receive_answer(first["generation"])
    second = await socket.ask("two", conversation=first["conversation"])
    await socket.receive_answer(second["generation"])
    assert second["conversation"] == first["conversation"]
    said = [(message["role"], message["content"]) for message in fake.bodies[-1]["messages"]]
    assert said[1:] == [("user", "one"), ("assistant", numbered(16)), ("user", "two")]


async def test_a_stop_keeps_the_text_so_far(open_as, alice, worker, fake):
    fake.settings.rate, fake.settings.answer_tokens = 20, 1000
    socket = await open_as(alice)
    accepted = await socket.ask()
    await socket.send_frame(type="follow", generation=accepted["generation"])
    begun = await socket.receive_frame("delta")
    await socket.send_frame(type="stop", generation=accepted["generation"])
    end = await socket.receive_frame("end")
    assert (end["status"], end["error"]) == ("stopped", None)
    stored = await in_database(Message.objects.get, id=accepted["answer"])
    assert stored.text.startswith(begun["text"])
    assert len(stored.text) < 200


async def test_unfollow_ends_the_telling_and_leaves_the_answer_alone(open_as, alice, worker, fake):
    fake.settings.rate, fake.settings.answer_tokens = 50, 30
    socket = await open_as(alice)
    accepted = await socket.ask()
    await socket.send_frame(type="follow", generation=accepted["generation"])
    await socket.receive_frame("delta")
    await socket.send_frame(type="unfollow", generation=accepted["generation"])
    await socket.send_frame(type="ping")
    await socket.receive_frame("pong")
    told = len(socket.seen)
    row = await wait_finished(accepted["generation"])
    assert row.text == numbered(30)
    await socket.send_frame(type="ping")
    await socket.receive_frame("pong")
    assert not {"delta", "end"} & {frame["type"] for frame in socket.seen[told:]}


async def wait_finished(generation):
    async with asyncio.timeout(10):
        while not (row := await in_database(Generation.objects.get, id=generation)).ended:
            await asyncio.sleep(0.05)
    return row


async def test_other_windows_of_the_same_person_hear_of_a_question_and_other_people_do_not(open_as, alice, bob, worker):
    here, there, foreign = await open_as(alice), await open_as(alice), await open_as(bob)
    for socket in (here, there, foreign):
        await socket.receive_frame("state")  # they are listening now
    await asyncio.sleep(0.3)
    accepted = await here.ask("who hears this?")
    heard = await there.receive_frame("conversation")
    named = ("conversation", "title", "question", "answer", "generation", "client_key")
    assert {name: heard[name] for name in named} == {name: accepted[name] for name in named}
    assert heard["text"] == "who hears this?"
    assert await there.receive_answer(heard["generation"]) == await here.receive_answer(accepted["generation"])
    await foreign.send_frame(type="ping")
    await foreign.receive_frame("pong")
    assert {frame["type"] for frame in foreign.seen} == {"state", "pong"}


async def test_the_engines_state_is_told_when_it_changes(open_as, carol):
    socket = await open_as(carol)
    assert (await socket.receive_frame("state"))["phase"] == "absent"
    engine = EngineState("loading", "Reading weights.", progress=0.4321, model="guide")
    state = WorkerState("w", "host", 1, 0.0, engine)
    await publish_state(state)
    guide = {"model": "guide", "phase": "loading", "progress": 0.43, "detail": "Reading weights."}
    assert await socket.receive_frame("state") == {"type": "state", **guide, "ready": [], "models": [guide]}
    engine.phase, engine.progress = "ready", None
    await publish_state(state)
    told = await socket.receive_frame("state")
    assert (told["phase"], told["ready"]) == ("ready", ["guide"])
    state.paused = True
    await publish_state(state)
    told = await socket.receive_frame("state")
    assert (told["phase"], told["ready"], told["models"][0]["phase"]) == ("paused", [], "paused")
    assert await socket.receive_nothing(1.5)  # nothing changes, so nothing is told


MALFORMED = [
    "",
    "{",
    "null",
    "[]",
    "42",
    '"ask"',
    "{}",
    '{"type": null}',
    '{"type": "shout"}',
    '{"type": "ask"}',
    '{"type": "ask", "text": "x"}',
    '{"type": "ask", "text": "x", "client_key": "x"}',
    '{"type": "ask", "text": 7, "client_key": "GENERATION"}',
    '{"type": "ask", "text": "x", "client_key": "GENERATION", "owner": 1}',
    '{"type": "ask", "text": "\\ud800", "client_key": "GENERATION"}',
    '{"type": "ask", "text": "x", "client_key": "GENERATION", "conversation": "1 OR 1=1"}',
    '{"type": "follow"}',
    '{"type": "follow", "generation": 1}',
    '{"type": "follow", "generation": "GENERATION", "after": "yesterday"}',
    '{"type": "follow", "generation": "GENERATION", "after": "99999999999999999999-1"}',
    '{"type": "follow", "generation": "GENERATION", "after": null}',
    '{"type": "stop", "generation": {"$ne": 1}}',
    '{"type": "edit", "message": 1, "text": "x"}',
    '{"type": "edit", "message": "1", "text": "x", "client_key": "GENERATION"}',
    '{"type": "regenerate", "message": 0, "client_key": "GENERATION"}',
    '{"type": "regenerate", "message": 9223372036854775808, "client_key": "GENERATION"}',
    '{"type": "continue", "message": 1.5, "client_key": "GENERATION"}',
    '{"type": "show"}',
    '{"type": "show", "message": -1}',
    '{"type": "configure", "conversation": "x"}',
    '{"type": "configure", "conversation": "GENERATION", "temperature": 2.1}',
    '{"type": "configure", "conversation": "GENERATION", "temperature": "hot"}',
    '{"type": "configure", "conversation": "GENERATION", "model": null}',
    '{"type": "configure", "conversation": "GENERATION", "system_prompt": "a\\u0000b"}',
    '{"type": "configure", "conversation": "GENERATION", "system_prompt": "%s"}' % ("x" * 20_001),
    '{"type": "configure", "conversation": "GENERATION", "owner": 1}',
    '{"type": "details", "generation": 7}',
    "[" * 10_000,
    '{"type": ' * 500,
    "\x00",
    "\ud800",
]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
async def test_a_malformed_frame_is_an_error_and_the_socket_lives(open_as, alice, text):
    socket = await open_as(alice)
    key = str(uuid.uuid4())
    await socket.send_input({"type": "websocket.receive", "text": text.replace("GENERATION", key)})
    error = await socket.receive_frame("error")
    assert error["code"] == "invalid_frame"
    if "GENERATION" in text and "$ne" not in text:
        assert error["reply_to"] == key
    assert error["message"]
    await socket.send_frame(type="ping")
    assert await socket.receive_frame("pong")


async def test_a_binary_frame_is_an_error(open_as, alice):
    socket = await open_as(alice)
    await socket.send_to(bytes_data=b'{"type": "ping"}')
    assert (await socket.receive_frame("error"))["code"] == "invalid_frame"


async def test_a_frame_that_is_too_long_is_an_error(open_as, alice):
    socket = await open_as(alice)
    key = str(uuid.uuid4())
    await socket.send_to(text_data=json.dumps({"type": "ask", "text": "x" * MAX_FRAME_CHARS, "client_key": key}))
    error = await socket.receive_frame("error")
    assert (error["code"], error["reply_to"]) == ("frame_too_large", key)


@pytest.mark.parametrize("text", ["", "  \n ", "x" * (config.max_message_chars + 1), "a\x00b"])
async def test_a_text_that_cannot_be_asked_is_refused_and_nothing_is_stored(open_as, alice, model, text):
    socket = await open_as(alice)
    key = uuid.uuid4()
    error = await socket.ask(text, client_key=key)
    assert (error["type"], error["code"], error["reply_to"]) == ("error", "invalid_request_error", str(key))
    assert error["param"] == "text"
    assert await in_database(Message.objects.count) == 0


async def test_the_longest_text_that_is_allowed_fits_into_a_frame_however_it_is_written(open_as, alice, model):
    socket = await open_as(alice)
    assert (await socket.ask("\u0416" * config.max_message_chars))["type"] == "accepted"


async def test_an_unknown_model_is_refused(open_as, alice, model):
    socket = await open_as(alice)
    assert (await socket.ask(model="none"))["code"] == "model_not_found"


async def test_a_full_queue_says_when_it_may_have_room(open_as, alice, model, configure):
    now = timezone.now()
    for fields in (
        {"status": "done", "started_at": now - timedelta(seconds=9), "finished_at": now},
        {"status": "running", "lease_until": now + timedelta(minutes=1)},
    ):
        row = {"owner": alice, "model": "fake", "door": "v1", "request_id": "r"} | fields
        await in_database(Generation.objects.create, **row)
    configure(queue_limit=1, queue_limit_per_user=1)
    position._free.clear()
    socket = await open_as(alice)
    assert (await socket.ask())["type"] == "accepted"
    refused = await socket.ask()
    assert (refused["code"], refused["retry_after"]) == ("overloaded", 9.0)


async def test_without_any_model_a_question_is_told_that_it_is_loading(open_as, alice):
    await in_database(lambda: LanguageModel.objects.all().delete())
    socket = await open_as(alice)
    assert (await socket.ask())["code"] == "model_loading"


async def test_what_belongs_to_another_is_as_unknown_as_what_does_not_exist(open_as, alice, bob, model):
    mine, theirs = await open_as(alice), await open_as(bob)
    secret = await mine.ask("a secret")
    for verb in ("follow", "stop"):
        errors = []
        for generation in (secret["generation"], str(uuid.uuid4())):
            await theirs.send_frame(type=verb, generation=generation)
            error = await theirs.receive_frame("error")
            assert error.pop("reply_to") == generation
            errors.append(error)
        assert errors[0] == errors[1]
        assert errors[0]["code"] == "not_found"
    errors = [await theirs.ask(conversation=id) for id in (secret["conversation"], str(uuid.uuid4()))]
    assert [error.pop("reply_to") for error in errors]
    assert errors[0] == errors[1]
    assert errors[0]["code"] == "conversation_not_found"
    row = await in_database(Generation.objects.get, id=secret["generation"])
    assert (row.status, row.stop_asked_at) == ("queued", None)
    assert await in_database(Message.objects.count) == 2


async def test_only_so_many_answers_can_be_followed_at_a_time(open_as, alice, model):
    socket = await open_as(alice)
    accepted = [await socket.ask(str(number)) for number in range(MAX_FOLLOWED_ANSWERS + 1)]
    for one in accepted[:-1]:
        await socket.send_frame(type="follow", generation=one["generation"])
    await socket.send_frame(type="follow", generation=accepted[0]["generation"])  # again: takes no further place
    await socket.send_frame(type="ping")
    await socket.receive_frame("pong", "error")
    assert socket.seen[-1]["type"] == "pong"
    await socket.send_frame(type="follow", generation=accepted[-1]["generation"])
    assert (await socket.receive_frame("error"))["code"] == "too_many_followed"
    await socket.send_frame(type="unfollow", generation=accepted[0]["generation"])
    await socket.send_frame(type="follow", generation=accepted[-1]["generation"])
    await socket.send_frame(type="ping")
    await socket.receive_frame("pong", "error")
    assert socket.seen[-1]["type"] == "pong"


async def test_leaving_ends_every_task_of_the_socket_and_not_the_generation(open_as, alice, worker, fake):
    fake.settings.rate = 50
    socket = await open_as(alice)
    accepted = await socket.ask()
    await socket.send_frame(type="follow", generation=accepted["generation"])
    await socket.receive_frame("delta")
    await socket.disconnect()
    assert (await wait_finished(accepted["generation"])).text == numbered(16)
    assert not list_tasks(ChatConsumer, Connections)
    assert not LogReader.for_this_loop().followers


async def test_a_client_that_does_not_read_is_told_the_rest_in_one_piece(open_as, alice, worker, fake):
    """What waits for a slow reader is at most the answer itself, gathered; see `test_live` for a real connection."""
    fake.settings.answer_tokens = 400
    socket = await open_as(alice)
    accepted = await socket.ask()
    await wait_finished(accepted["generation"])
    text, _ = await socket.receive_answer(accepted["generation"])
    assert text == numbered(400)
    assert sum(frame["type"] == "delta" for frame in socket.seen) == 1
