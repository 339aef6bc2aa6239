"""Every address and every frame x every verb x everybody: what is somebody's own does not exist for others.

CVE-2026-31950, 42276, 45349, 45671, 45398, 54015: streams, stop buttons, chats, files could be reached by their id.
"""

import re
import uuid

import pytest

from jarvis.lib.database import in_database
from tests.support.callers import NOBODY, call, key_headers, refused, revoked_headers, session_headers
from tests.support.matrix import BODIES, FRAME_OBJECTS, FRAMES, MATRIX, NOWHERE, PUBLIC, VERBS, Open, Owned
from tests.support.routes import named_in_frames, routes
from tests.support.world import CANARY, everything

pytestmark = pytest.mark.django_db(transaction=True)

ROUTES = {route.path: route for route in routes()}
PAGES = [route for route in ROUTES.values() if not route.in_admin]
OWNED = [path for path, row in MATRIX.items() if isinstance(row, Owned)]


def test_every_address_that_takes_an_object_is_in_the_matrix():
    taking = {route.path for route in PAGES if route.parameters}
    assert taking == MATRIX.keys(), (
        "Write a row for each new address in tests/support/matrix.py, and take out stale ones."
    )
    assert set(PUBLIC) | {path for path, _ in BODIES} <= ROUTES.keys(), "Take out what is no address any more."
    assert all(row.why for row in MATRIX.values() if isinstance(row, Open))


def test_every_frame_that_names_an_object_is_in_the_matrix():
    assert set(named_in_frames()) == FRAMES.keys(), "Write a row for each new frame in tests/support/matrix.py."


ASKING = ("Ask", "Edit", "Regenerate", "Continue")  # these carry a client_key


def said(response, values):
    """Status and body, without the object's own names and what differs from call to call."""
    text = response.text
    for value in map(str, values.values()):
        text = text.replace(value, "…") if len(value) > 8 else text.replace(f"/{value}/", "/…/")
    text = re.sub(r'(csrf\w*"? (?:value|content|data-\w+)=")[^"]+', r"\1…", text)
    return response.status_code, text


@pytest.mark.parametrize("path", OWNED)
async def test_what_is_somebodys_own_does_not_exist_for_others(http, cast, path):
    """Case: "another user's … could be reached by its id". The answer is that to an id which does not exist."""
    row, route = MATRIX[path], ROUTES[path]
    made = await in_database(row.make, cast.alice)
    values = await in_database(row.values, made)
    before = await in_database(everything)
    strangers = {
        "another user": await in_database(session_headers, cast.bob),
        "an administrator": await in_database(session_headers, cast.carol),
    }
    if row.keys:
        strangers["another user's key"] = await in_database(key_headers, cast.bob)
        strangers["an administrator's key"] = await in_database(key_headers, cast.carol)
        before = await in_database(everything)
    for verb in VERBS:
        allowed, body = row.verbs.get(verb, 405), row.bodies.get(verb, {})
        for who, headers in strangers.items():
            if verb in row.staff and "administrator" in who:
                continue
            theirs = await call(http, verb, route.url(values), headers, body)
            nowhere = await call(http, verb, route.url(row.nowhere), headers, body)
            assert said(theirs, values) == said(nowhere, row.nowhere), (verb, who)
            closed = (allowed, theirs.status_code) == (405, 405) or (verb in row.locked and theirs.status_code == 403)
            assert closed or theirs.status_code == 404 or verb == "OPTIONS", (verb, who, theirs.status_code)
            assert CANARY not in theirs.text, (verb, who)
    assert await in_database(everything) == before


@pytest.mark.parametrize("path", OWNED)
async def test_nobody_and_a_revoked_key_are_sent_to_sign_in(http, cast, path):
    row, route = MATRIX[path], ROUTES[path]
    made = await in_database(row.make, cast.alice)
    url = route.url(await in_database(row.values, made))
    revoked = await in_database(revoked_headers, cast.alice)
    before = await in_database(everything)
    for verb in VERBS:
        for headers in (NOBODY, revoked, revoked | NOBODY):
            response = await call(http, verb, url, headers, row.bodies.get(verb, {}))
            refused_as_verb = response.status_code == row.verbs.get(verb, 405) == 405
            assert refused_as_verb or refused(response, api=row.keys), (verb, response.status_code)
            assert CANARY not in response.text, verb
    assert await in_database(everything) == before


@pytest.mark.parametrize("path", OWNED)
async def test_the_owner_gets_what_the_matrix_says(http, cast, path):
    """Without this the others might get their 404 for another reason."""
    row, route = MATRIX[path], ROUTES[path]
    doors = [await in_database(session_headers, cast.alice)]
    if row.keys:
        doors.append(await in_database(key_headers, cast.alice))
    for headers in doors:
        for verb in VERBS:
            if verb == "OPTIONS" and verb not in row.verbs:
                continue
            made = await in_database(row.make, cast.alice)
            url = route.url(await in_database(row.values, made))
            response = await call(http, verb, url, headers, row.bodies.get(verb, {}))
            expected = 403 if verb in row.locked and headers is not doors[0] else row.verbs.get(verb, 405)
            assert response.status_code == expected, (verb, response.text[:500])


@pytest.mark.parametrize("door", ["nobody", "a revoked key", "a wrong key"])
async def test_every_other_address_refuses_the_unknown(http, cast, door):
    revoked = await in_database(revoked_headers, cast.alice)
    headers = {"nobody": NOBODY, "a revoked key": revoked, "a wrong key": {"x-api-key": "jv_wrong"}}[door]
    before, seen = await in_database(everything), set()
    for route in ROUTES.values():
        if route.path in PUBLIC or route.path in MATRIX:
            continue
        url = route.url(dict.fromkeys(route.parameters, "1"))
        for verb in VERBS:
            response = await call(http, verb, url, headers, {})
            api = url.startswith(("/api/", "/v1"))
            fine = response.status_code == 405 or refused(response, api)
            fine = fine or (route.in_admin and response.status_code in (301, 302, 404))
            assert fine, (verb, url, response.status_code)
            seen.add(response.status_code)
    assert seen >= {302, 401}
    assert await in_database(everything) == before


async def test_no_address_tells_one_what_belongs_to_another(http, cast):
    """Lists and pages, of all addresses that take no object: nothing marked as alice's is in what bob gets."""

    def make():
        for row in MATRIX.values():
            if isinstance(row, Owned):
                row.make(cast.alice)

    await in_database(make)
    shown = 0
    for user, door in [(cast.alice, session_headers), (cast.bob, session_headers), (cast.bob, key_headers)]:
        headers = await in_database(door, user)
        for route in PAGES:
            if not route.parameters:
                response = await http.get(route.url(), headers=headers)
                assert response.status_code != 500, route.path
                if user == cast.alice:
                    shown += CANARY in response.text
                else:
                    assert CANARY not in response.text, route.path
    assert shown >= 2


def maker(frame, field):
    return FRAME_OBJECTS.get(frame) or FRAME_OBJECTS[field]


async def test_what_a_frame_names_does_not_exist_for_others(cast, model, open_as):
    """As for addresses: the answer is that to an id which does not exist, and nothing changes."""
    made = {}
    for frame, field in FRAMES:
        made[frame, field] = await in_database(maker(frame, field), cast.alice)
    before = await in_database(everything)
    for stranger in (cast.bob, cast.carol):
        socket = await open_as(stranger)
        await socket.receive_frame("state")
        for (frame, field), (fields, code) in FRAMES.items():
            key = uuid.uuid4()
            asked = {"client_key": key} if frame in ASKING else {}
            nothing = NOWHERE if isinstance(made[frame, field].pk, uuid.UUID) else 2**40
            answers = []
            for id in (made[frame, field].pk, nothing):
                await socket.send_frame(type=frame.lower(), **{field: id}, **fields, **asked)
                await socket.send_frame(type="ping")
                answer = await socket.receive_frame("error", "pong", "accepted", "begin", "delta", "end")
                if answer["type"] != "pong":
                    await socket.receive_frame("pong")
                answers.append({name: value for name, value in answer.items() if name != "reply_to"})
            assert answers[0] == answers[1], (frame, field)
            assert answers[0].get("code") == code, (frame, field)
    assert await in_database(everything) == before


async def test_the_owner_gets_an_answer_to_each_frame(cast, model, open_as):
    socket = await open_as(cast.alice)
    await socket.receive_frame("state")
    for (frame, field), (fields, _) in FRAMES.items():
        made = await in_database(maker(frame, field), cast.alice)
        asked = {"client_key": uuid.uuid4()} if frame in ASKING else {}
        await socket.send_frame(type=frame.lower(), **{field: made.pk}, **fields, **asked)
        await socket.send_frame(type="ping")
        answer = await socket.receive_frame("error", "pong", "accepted", "begin", "end")
        assert answer["type"] != "error", (frame, answer)
        if answer["type"] != "pong":
            await socket.receive_frame("pong")
