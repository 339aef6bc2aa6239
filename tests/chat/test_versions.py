"""The frames that make versions, choose between them, and set a conversation up."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Preferences, UserLimits
from chat.models import Conversation, Message
from chat.ws.replay import add_prefix
from inference.log.events import START, Begin, Cursor, End, Text
from inference.models import Generation, LanguageModel
from inference.redis.client import shared_client
from inference.redis.keys import log_key
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.waiting import until
from tests.support.workers import working

pytestmark = pytest.mark.django_db(transaction=True)


def list_texts(conversation):
    """The texts that a conversation shows, oldest first."""
    return [message.text for message in Conversation.objects.get(pk=conversation).path()][::-1]


async def send_question(socket, verb, **fields):
    await socket.send_frame(type=verb, **({"client_key": uuid.uuid4()} | fields))
    return await socket.receive_frame("accepted", "error")


def last_messages(fake):
    return [(message["role"], message["content"]) for message in fake.bodies[-1]["messages"]][1:]


async def wait_finished(generation):
    await until(lambda: in_database(lambda: Generation.objects.get(pk=generation).ended))


async def test_a_question_in_other_words_is_a_version_with_an_answer_of_its_own(open_as, alice, worker, fake):
    socket = await open_as(alice)
    first = await socket.ask("one")
    await socket.receive_answer(first["generation"])
    second = await socket.ask("two", conversation=first["conversation"])
    await socket.receive_answer(second["generation"])
    edited = await send_question(socket, "edit", message=second["question"], text="two, better")
    assert (edited["conversation"], edited["follows"]) == (first["conversation"], first["answer"])
    assert edited["question_versions"] == [second["question"], edited["question"]]
    assert edited["answer_versions"] == [edited["answer"]]
    await socket.receive_answer(edited["generation"])
    assert last_messages(fake) == [("user", "one"), ("assistant", numbered(16)), ("user", "two, better")]
    again = await send_question(socket, "edit", message=first["question"], text="one, better")
    assert again["follows"] is None
    await socket.receive_answer(again["generation"])
    assert last_messages(fake) == [("user", "one, better")]
    assert await in_database(list_texts, first["conversation"]) == ["one, better", numbered(16)]


async def test_another_answer_to_the_same_question_may_come_from_another_model(open_as, alice, worker, fake):
    await in_database(LanguageModel.objects.create, name="other")
    socket = await open_as(alice)
    first = await socket.ask("one")
    await socket.receive_answer(first["generation"])
    second = await send_question(socket, "regenerate", message=first["answer"])
    assert second["question"] == first["question"]
    assert second["answer_versions"] == [first["answer"], second["answer"]]
    await socket.receive_answer(second["generation"])
    assert last_messages(fake) == [("user", "one")]
    third = await send_question(socket, "regenerate", message=second["answer"], model="other")
    row = await in_database(Generation.objects.get, id=third["generation"])
    assert (row.model, row.request["model"]) == ("other", "other")
    assert (await send_question(socket, "regenerate", message=first["answer"], model="none"))[
        "code"
    ] == "model_not_found"
    talk = await in_database(Conversation.objects.get, id=first["conversation"])
    assert (talk.model, talk.leaf_id) == ("fake", third["answer"])


async def test_each_way_of_asking_is_accepted_once_for_a_key(open_as, alice, worker):
    socket = await open_as(alice)
    first = await socket.ask("one")
    await socket.receive_answer(first["generation"])
    await in_database(Generation.objects.update, status="stopped")
    frames = [
        {"verb": "continue", "message": first["answer"]},
        {"verb": "regenerate", "message": first["answer"]},
        {"verb": "edit", "message": first["question"], "text": "one, better"},
    ]
    for number, frame in enumerate(frames, 2):
        key = uuid.uuid4()
        replies = [await send_question(socket, client_key=key, **frame) for _ in range(2)]
        assert replies[0] == replies[1]
        assert replies[0]["client_key"] == str(key)
        assert await in_database(Generation.objects.count) == number


async def test_an_answer_that_was_stopped_goes_on_in_the_readers_eyes(open_as, alice, worker, fake):
    fake.settings.rate, fake.settings.answer_tokens = 40, 1000
    socket = await open_as(alice)
    first = await socket.ask("one")
    await socket.send_frame(type="follow", generation=first["generation"])
    await socket.receive_frame("delta")
    await socket.send_frame(type="stop", generation=first["generation"])
    await socket.receive_frame("end")
    begun = (await in_database(Message.objects.get, id=first["answer"])).text.rstrip()
    fake.settings.rate, fake.settings.answer_tokens = 0, 5
    longer = await send_question(socket, "continue", message=first["answer"])
    assert (longer["continues"], longer["question"]) == (first["answer"], first["question"])
    assert longer["answer_versions"] == [longer["answer"]]  # the reader does not see two
    text, _ = await socket.receive_answer(longer["generation"])
    assert text == begun + numbered(5)
    body = fake.bodies[-1]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert last_messages(fake) == [("user", "one"), ("assistant", begun)]
    assert await in_database(list_texts, first["conversation"]) == ["one", begun + numbered(5)]
    row = await in_database(Generation.objects.get, id=longer["generation"])
    assert row.text == numbered(5)  # the ledger has what this call made
    await shared_client().delete(log_key(row.id))
    assert (await socket.receive_answer(longer["generation"]))[0] == begun + numbered(5)
    next_one = await socket.ask("two", conversation=first["conversation"])
    await socket.receive_answer(next_one["generation"])
    assert last_messages(fake) == [("user", "one"), ("assistant", begun + numbered(5)), ("user", "two")]


async def test_a_server_that_turned_out_to_be_another_one_is_not_asked_to_go_on(open_as, alice, worker, held, fake):
    """It would not refuse, but begin anew in the middle of a sentence."""
    socket = await open_as(alice)
    first = await socket.ask("one")
    await socket.receive_answer(first["generation"])
    await in_database(Generation.objects.update, status="stopped")
    held.state.goes_on = False
    calls = len(fake.bodies)
    longer = await send_question(socket, "continue", message=first["answer"])
    text, end = await socket.receive_answer(longer["generation"])
    assert (end["status"], end["error"]["code"]) == ("failed", "cannot_continue")
    assert text == numbered(16).rstrip()  # what was there is there
    assert len(fake.bodies) == calls


@pytest.mark.parametrize("goes_on", [False, True])
async def test_what_a_worker_serves_is_known_to_go_on_or_not(model, held, goes_on):
    await in_database(LanguageModel.objects.update, goes_on=not goes_on)
    held.state.goes_on = goes_on
    async with working(held):
        await until(lambda: in_database(LanguageModel.objects.filter(name="fake", goes_on=goes_on).exists))


async def test_what_cannot_go_on_says_why(open_as, alice, worker, fake):
    socket = await open_as(alice)
    first = await socket.ask("one")
    await socket.receive_answer(first["generation"])
    error = await send_question(socket, "continue", message=first["answer"])
    assert (error["code"], "its own end" in error["message"]) == ("cannot_continue", True)
    await in_database(Generation.objects.update, status="stopped")
    await in_database(LanguageModel.objects.update, goes_on=False)
    assert "its server cannot go on" in (await send_question(socket, "continue", message=first["answer"]))["message"]
    await in_database(LanguageModel.objects.update, goes_on=True)
    second = await socket.ask("two", conversation=first["conversation"])
    await socket.receive_answer(second["generation"])
    assert "last answer" in (await send_question(socket, "continue", message=first["answer"]))["message"]
    await in_database(Message.objects.filter(pk=second["answer"]).update, text="")
    await in_database(Generation.objects.update, status="failed")
    assert "no text" in (await send_question(socket, "continue", message=second["answer"]))["message"]


async def test_a_continuation_that_is_stopped_in_the_queue_keeps_what_was_there(open_as, alice, model):
    socket = await open_as(alice)
    first = await socket.ask("one")
    await in_database(Generation.objects.update, status="stopped")
    await in_database(Message.objects.filter(pk=first["answer"]).update, text="Once upon \n")
    longer = await send_question(socket, "continue", message=first["answer"])
    await socket.send_frame(type="follow", generation=longer["generation"])
    assert (await socket.receive_frame("delta"))["text"] == "Once upon"  # while it waits
    await socket.send_frame(type="stop", generation=longer["generation"])
    await socket.receive_frame("end")
    text, end = await socket.receive_answer(longer["generation"])
    assert (text, end["status"]) == ("Once upon", "stopped")
    assert (await in_database(Message.objects.get, id=longer["answer"])).text == "Once upon"


def test_an_answer_that_starts_again_begins_with_the_same_text():
    log = [
        (Cursor(1, 1), Begin()),
        (Cursor(1, 2), Text("x")),
        (Cursor(2, 1), Begin(clear=True)),
        (Cursor(2, 2), End("done")),
    ]
    told = add_prefix(log, "before")
    assert told[:3] == [*log[:3]]
    assert told[3:] == [(Cursor(2, 1), Text("before")), log[3]]
    assert add_prefix([(START, Begin(clear=True))], "before")[1] == (START, Text("before"))


async def test_a_version_is_shown_with_what_came_after_it_and_every_window_hears(open_as, alice, worker):
    here, there = await open_as(alice), await open_as(alice)
    for socket in (here, there):
        await socket.receive_frame("state")  # they are listening now
    first = await here.ask("one")
    await here.receive_answer(first["generation"])
    second = await here.ask("two", conversation=first["conversation"])
    await here.receive_answer(second["generation"])
    edited = await send_question(here, "edit", message=first["question"], text="one, better")
    await here.receive_answer(edited["generation"])
    await here.send_frame(type="show", message=first["question"])
    told = {"type": "shown", "conversation": first["conversation"], "leaf": second["answer"]}
    assert await here.receive_frame("shown", "error") == await there.receive_frame("shown") == told
    assert await in_database(list_texts, first["conversation"]) == ["one", numbered(16), "two", numbered(16)]
    third = await here.ask("three", conversation=first["conversation"])
    assert third["follows"] == second["answer"]


async def test_what_is_set_for_a_conversation_is_what_the_model_is_asked_with(open_as, alice, worker, fake):
    await in_database(Preferences.objects.create, user=alice, system_prompt="Alice's.", temperature=0.9)
    socket = await open_as(alice)

    async def body(**fields):
        accepted = await socket.ask("x", **fields)
        await socket.receive_answer(accepted["generation"])
        return accepted["conversation"], fake.bodies[-1]["messages"][0]["content"], fake.bodies[-1].get("temperature")

    conversation, *own = await body()
    assert own == ["Alice's.", 0.9]
    settings = {"system_prompt": "Be brief.", "temperature": 0.0}
    await socket.send_frame(type="configure", conversation=conversation, **settings)
    assert await socket.receive_frame("configured", "error") == {
        "type": "configured", "conversation": conversation, "model": "fake", **settings
    }  # fmt: skip
    assert (await body(conversation=conversation))[1:] == ("Be brief.", 0.0)
    await socket.send_frame(type="configure", conversation=conversation, system_prompt="")
    assert (await socket.receive_frame("configured"))["temperature"] == 0.0  # what is left out stays
    assert (await body(conversation=conversation))[1:] == ("Alice's.", 0.0)
    assert (await body(system_prompt="From the start.", temperature=1.5))[1:] == ("From the start.", 1.5)
    await in_database(Preferences.objects.all().delete)
    await socket.send_frame(type="configure", conversation=conversation, temperature=None)
    await socket.receive_frame("configured")
    assert (await body(conversation=conversation))[1:] == ("You are Jarvis, a helpful assistant.", None)


async def test_a_person_has_a_model_of_their_own_and_a_conversation_one_of_its_own(open_as, alice, model):
    await in_database(LanguageModel.objects.create, name="other")
    socket = await open_as(alice)

    async def model_of(accepted):
        return (await in_database(Generation.objects.get, id=accepted["generation"])).model

    first = await socket.ask()
    assert await model_of(first) == "fake"
    await in_database(Preferences.objects.create, user=alice, model="other")
    assert await model_of(await socket.ask()) == "other"
    await socket.send_frame(type="configure", conversation=first["conversation"], model="other")
    assert (await socket.receive_frame("configured", "error"))["model"] == "other"
    assert await model_of(await socket.ask(conversation=first["conversation"])) == "other"
    await socket.send_frame(type="configure", conversation=first["conversation"], model="none")
    assert (await socket.receive_frame("error"))["code"] == "model_not_found"
    await in_database(Preferences.objects.update, model="gone")
    assert await model_of(await socket.ask()) == "fake"


async def test_the_socket_hides_a_model_in_the_words_for_one_that_is_unknown(open_as, alice, worker):
    socket = await open_as(alice)
    first = await socket.ask()
    await socket.receive_answer(first["generation"])
    await in_database(LanguageModel.objects.create, name="open")
    await in_database(UserLimits.objects.update_or_create, user=alice, defaults={"allowed_models": ["open"]})
    await asyncio.sleep(1)  # so long a caller is trusted
    told = []
    for name in ("fake", "none"):
        await in_database(Generation.objects.filter(id=first["generation"]).update, model=name, finish_reason="length")
        frames = [
            {"type": "ask", "text": "hi", "model": name},
            {"type": "ask", "text": "hi", "model": name, "conversation": first["conversation"]},
            {"type": "edit", "message": first["question"], "text": "again", "model": name},
            {"type": "regenerate", "message": first["answer"], "model": name},
            {"type": "continue", "message": first["answer"]},
            {"type": "configure", "conversation": first["conversation"], "model": name},
        ]
        told.append([])
        for frame in frames:
            if frame["type"] != "configure":
                frame["client_key"] = str(uuid.uuid4())
            await socket.send_frame(**frame)
            error = await socket.receive_frame("error", "accepted", "configured")
            told[-1].append((error.get("code"), error.get("message", "").replace(name, "…")))
    assert told[0] == told[1]
    assert {code for code, _ in told[0]} == {"model_not_found"}


async def test_who_may_use_no_model_is_told_so(open_as, alice, model):
    await in_database(UserLimits.objects.update_or_create, user=alice, defaults={"allowed_models": ["another"]})
    socket = await open_as(alice)
    assert (await socket.ask())["code"] == "no_model_allowed"


async def test_an_answers_figures_can_be_had_on_demand(open_as, alice, worker, fake):
    fake.settings.ttft, fake.settings.rate = 0.1, 100
    socket = await open_as(alice)
    accepted = await socket.ask(temperature=0.5)
    _, end = await socket.receive_answer(accepted["generation"])
    await socket.send_frame(type="details", generation=accepted["generation"])
    told = await socket.receive_frame("details", "error")
    assert (told["model"], told["status"], told["temperature"]) == ("fake", "done", 0.5)
    assert told["completion_tokens"] == end["usage"]["completion_tokens"]
    assert told["prompt_tokens"] == end["usage"]["prompt_tokens"]
    assert 0 <= told["queue_seconds"] < told["first_token_seconds"] < told["seconds"]
    assert told["first_token_seconds"] >= 0.1
    assert 20 < told["tokens_per_second"] <= 110
    assert told["asked_at"].endswith("Z")


async def test_who_waits_is_told_the_place_and_the_wait_and_when_it_changes(open_as, alice, bob, worker, fake, held):
    held.state.slots, fake.settings.answer_tokens, fake.settings.rate = 1, 4000, 40
    ended = timezone.now()
    times = {"started_at": ended - timedelta(seconds=8), "finished_at": ended, "status": "done"}
    await in_database(Generation.objects.create, owner=bob, model="fake", door="v1", request_id="r", **times)
    socket, other = await open_as(alice), await open_as(bob)
    busy = await socket.ask("busy")
    await socket.send_frame(type="follow", generation=busy["generation"])
    await socket.receive_frame("delta")
    first, second = await other.ask("first"), await socket.ask("second")
    for one, client in ((first, other), (second, socket)):
        await client.send_frame(type="follow", generation=one["generation"])
    for one, client, position, wait in ((first, other, 1, 8), (second, socket, 2, 20)):
        told = {"type": "queue", "generation": one["generation"], "position": position, "wait_seconds": wait}
        while await client.receive_frame("queue") != told:
            pass  # the worker tells its slots once a second
    await other.send_frame(type="stop", generation=first["generation"])
    assert (await socket.receive_frame("queue"))["position"] == 1
    await socket.send_frame(type="stop", generation=busy["generation"])
    while (await socket.receive_frame("begin"))["generation"] != second["generation"]:
        pass
    await socket.send_frame(type="stop", generation=second["generation"])
    assert not [
        frame for frame in socket.seen if frame["type"] == "queue" and frame["generation"] == busy["generation"]
    ]


async def test_a_window_knows_where_answers_grow_also_those_from_before_it_was_opened(open_as, alice, bob, model):
    socket = await open_as(alice)
    accepted = [await socket.ask("one"), await socket.ask("two")]
    later, foreign = await open_as(alice), await open_as(bob)
    told = await later.receive_frame("growing")
    assert set(told["conversations"]) == {one["conversation"] for one in accepted}
    await later.send_frame(type="stop", generation=accepted[0]["generation"])
    assert (await later.receive_frame("growing"))["conversations"] == [accepted[1]["conversation"]]
    await later.send_frame(type="stop", generation=accepted[1]["generation"])
    assert (await later.receive_frame("growing"))["conversations"] == []
    await foreign.send_frame(type="ping")
    await foreign.receive_frame("pong")
    assert "growing" not in {frame["type"] for frame in foreign.seen}


async def test_what_belongs_to_another_is_as_unknown_as_what_does_not_exist(open_as, alice, bob, model):
    mine, theirs = await open_as(alice), await open_as(bob)
    secret = await mine.ask("a secret")
    await in_database(Generation.objects.update, status="stopped")
    before = await in_database(lambda: list(Conversation.objects.values()))
    nobodys = secret["answer"] + 1000
    attempts = [
        ("edit", "message", secret["question"], nobodys, {"text": "mine now", "client_key": uuid.uuid4()}),
        ("regenerate", "message", secret["answer"], nobodys, {"client_key": uuid.uuid4()}),
        ("continue", "message", secret["answer"], nobodys, {"client_key": uuid.uuid4()}),
        ("show", "message", secret["question"], nobodys, {}),
        ("configure", "conversation", secret["conversation"], str(uuid.uuid4()), {"system_prompt": "x"}),
        ("details", "generation", secret["generation"], str(uuid.uuid4()), {}),
        ("follow", "generation", secret["generation"], str(uuid.uuid4()), {}),
    ]
    for verb, name, id, nowhere, fields in attempts:
        errors = []
        for one in (id, nowhere):
            await theirs.send_frame(type=verb, **{name: one}, **fields)
            error = await theirs.receive_frame("error", "accepted", "shown", "configured", "details", "begin")
            assert str(error.pop("reply_to")) == str(fields.get("client_key", one))
            errors.append(error)
        assert errors[0] == errors[1]
        assert errors[0]["code"] in ("not_found", "conversation_not_found")
    # an answer cannot be edited, nor a question be answered like an answer
    for verb, fields in (
        ("edit", {"message": secret["answer"], "text": "x"}),
        ("regenerate", {"message": secret["question"]}),
    ):
        assert (await send_question(mine, verb, **fields))["code"] == "not_found"
    assert await in_database(lambda: list(Conversation.objects.values())) == before
    assert await in_database(Message.objects.count) == 2


async def test_questions_that_come_at_once_follow_each_other(open_as, alice, model):
    sockets = [await open_as(alice) for _ in range(4)]
    first = await sockets[0].ask("begin")
    await asyncio.gather(
        *(one.ask(str(number), conversation=first["conversation"]) for number, one in enumerate(sockets))
    )
    texts = await in_database(list_texts, first["conversation"])
    assert texts[0] == "begin"
    assert sorted(filter(None, texts[1:])) == ["0", "1", "2", "3"]
