"""What a model is told of a conversation: whole turns, one after the other, whenever they were asked."""

import uuid
from datetime import timedelta

import pytest

from accounts.models import UserLimits
from chat.models import Conversation, Message
from chat.turns.prompt import arrange_turns
from inference.models import Generation
from inference.queue.rate_limits import UNNAMED_ANSWER_TOKENS
from inference.queue.submit import stop_generation
from jarvis.lib.database import in_database
from tests.support.fake_engine import numbered
from tests.support.waiting import until
from tests.support.workers import tokens_told, working

U, A = "user", "assistant"
ARRANGED = {
    "as it is": ([(U, "1"), (A, "2"), (U, "3")], [(U, "1"), (A, "2"), (U, "3")]),
    "a failed answer": ([(U, "1"), (U, "2")], [(U, "1\n\n2")]),
    "two of them": ([(U, "1"), (U, "2"), (U, "3"), (A, "4"), (U, "5")], [(U, "1\n\n2\n\n3"), (A, "4"), (U, "5")]),
    "one of blanks": ([(U, "1"), (A, " \n"), (U, "2")], [(U, "1\n\n2")]),
    "answers in a row": (
        [(U, "1"), (A, "2"), (A, "3"), (U, "4")],
        [(U, "1"), (A, "2\n\n3"), (U, "4")],
    ),
    "an answer first": ([(A, "0"), (U, "1")], [(U, "1")]),
    "a blank and an answer first": ([(U, " "), (A, "0"), (U, "1")], [(U, "1")]),
    "nothing": ([], []),
}


@pytest.mark.parametrize("name", ARRANGED)
def test_turns_alternate_and_begin_with_a_question(name):
    said, arranged = ARRANGED[name]
    assert arrange_turns(said) == arranged


def told(fake, number):
    """The turns of a call after its system prompt."""
    return [(message["role"], message["content"]) for message in fake.bodies[number]["messages"][1:]]


@pytest.mark.django_db(transaction=True)
async def test_questions_asked_while_an_answer_grows_wait_for_it_and_are_told_it(open_as, alice, worker, fake):
    fake.settings.rate = 100
    socket = await open_as(alice)
    first = await socket.ask("one")
    second = await socket.ask("two", conversation=first["conversation"])
    third = await socket.ask("three", conversation=first["conversation"])
    rows = [await in_database(Generation.objects.get, id=one["generation"]) for one in (first, second, third)]
    assert [row.behind_id for row in rows] == [None, rows[0].id, rows[1].id]
    assert (await socket.receive_answer(third["generation"]))[0] == numbered(16)
    said = [(U, "one"), (A, numbered(16)), (U, "two"), (A, numbered(16)), (U, "three")]
    assert [told(fake, number) for number in range(3)] == [said[:1], said[:3], said]


@pytest.mark.django_db(transaction=True)
async def test_a_question_that_waited_gets_no_more_tokens_than_were_reserved_for_it(open_as, alice, worker, fake):
    await in_database(UserLimits.objects.create, user=alice, tokens_per_minute=1_000_000)
    socket = await open_as(alice)
    first = await socket.ask("one")
    second = await socket.ask("two", conversation=first["conversation"])
    assert (await socket.receive_answer(second["generation"]))[0] == numbered(16)
    assert told(fake, 1) == [(U, "one"), (A, numbered(16)), (U, "two")]
    assert [body["max_tokens"] for body in fake.bodies] == [UNNAMED_ANSWER_TOKENS] * 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["stopped", "failed"])
async def test_a_question_waits_for_an_answer_however_that_ends(open_as, alice, worker, fake, how):
    fake.settings.rate, fake.settings.answer_tokens = 50, 500
    if how == "failed":
        fake.settings.fail_next, fake.settings.fail_status = 1, 400
        fake.settings.fail_body = '{"error": {"message": "no", "type": "BadRequestError", "code": 400}}'
    socket = await open_as(alice)
    first = await socket.ask("one")
    second = await socket.ask("two", conversation=first["conversation"])
    row = await in_database(Generation.objects.get, id=first["generation"])
    if how == "stopped":
        await until(lambda: tokens_told(row))
        await stop_generation(row.id)
    fake.settings.answer_tokens = 16
    _, end = await socket.receive_answer(second["generation"])
    assert end["status"] == "done"
    answer = await in_database(Message.objects.get, id=first["answer"])
    assert told(fake, -1) == ([(U, "one"), (A, answer.text), (U, "two")] if how == "stopped" else [(U, "one\n\ntwo")])


@pytest.mark.django_db(transaction=True)
async def test_a_question_goes_on_where_the_answer_before_it_was_stopped_in_the_queue(
    open_as, alice, model, held, fake
):
    socket = await open_as(alice)
    first = await socket.ask("one")
    second = await socket.ask("two", conversation=first["conversation"])
    await stop_generation(uuid.UUID(first["generation"]))
    async with working(held):
        assert (await socket.receive_answer(second["generation"]))[0] == numbered(16)
    assert told(fake, -1) == [(U, "one\n\ntwo")]


@pytest.mark.django_db(transaction=True)
async def test_what_is_behind_another_stands_in_no_line_and_keeps_nobody_waiting(open_as, alice, bob, model):
    mine, theirs = await open_as(alice), await open_as(bob)
    first = await mine.ask("one")
    await mine.ask("two", conversation=first["conversation"])
    await in_database(Generation.objects.filter(id=first["generation"]).update, status="running", lease_until=None)
    other = await theirs.ask("mine")
    claimed = await in_database(Generation.objects.claim, "w", ["fake"], 10, timedelta(seconds=30))
    assert [str(row.id) for row in claimed] == [other["generation"]]
    conversation = await in_database(Conversation.objects.get, id=first["conversation"])
    assert await in_database(conversation.messages.count) == 4
