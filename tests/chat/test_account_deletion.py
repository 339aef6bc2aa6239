"""Somebody deletes their account: nothing of theirs is left but figures that bear no name."""

import threading
import time
from datetime import timedelta

import pytest
from allauth.account.internal.flows import login
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone
from psycopg.sql import SQL, Identifier

from accounts.audit import AuditEvent
from accounts.authentication import caller_for_key
from accounts.models import ApiKey, Preferences, UserLimits, hash_secret
from chat import account_deletion
from chat.account_deletion import DELETED_USER, LastAdministrator, delete_account
from chat.models import Conversation, Share
from chat.ws.connections import CLOSE_UNAUTHENTICATED
from inference.models import Generation, UsageDay
from inference.queue.outcome import Outcome, store_outcomes
from inference.redis.client import shared_client
from inference.redis.keys import log_key
from inference.tasks import roll_up
from jarvis.lib.database import in_database
from tests.support.accounts import PASSWORD
from tests.support.live import static_files
from tests.support.sockets import handshake_headers, open_socket, session_headers, wait_close

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/settings/data/delete/"
CANARY = "canary-of-alice"


@pytest.fixture(autouse=True)
def files():
    static_files()


@pytest.fixture
def alice(transactional_db):
    return User.objects.create_user("alice", "alice@example.com", PASSWORD, first_name=CANARY)


@pytest.fixture
def carol(transactional_db):
    return User.objects.create_superuser("carol", password=PASSWORD)


def sign_in(name="alice"):
    """A browser in which somebody has signed in, and given the password again."""
    client = Client()
    client.post("/sign-in/", {"login": name, "password": PASSWORD})
    assert client.get(PAGE)["location"].startswith("/sign-in/again/")
    client.post(f"/sign-in/again/?next={PAGE}", {"password": PASSWORD})
    return client


def delete_account_of(client, name="alice"):
    return client.post(PAGE, {"username": name})


def call(owner, **fields):
    given = {"model": "fake", "door": "v1", "request_id": "r", "status": "done", "request": {"messages": [CANARY]}}
    given |= {"text": CANARY, "prompt_tokens": 10, "completion_tokens": 5, "finished_at": timezone.now()}
    return Generation.objects.create(owner=owner, **given | fields)


def create_everything(alice, bob):
    """One of everything that a person can have; gives the secret of a key and the address of a link."""
    key, secret = ApiKey.create_with_secret(alice.pk, CANARY)
    made = Conversation.objects.create(owner=alice, title=CANARY, folder=CANARY, system_prompt=CANARY)
    made.add_message("user", CANARY)
    made.add_message("assistant", CANARY, generation=call(alice, door="chat"))
    gone = Conversation.objects.create(owner=alice, title=CANARY)
    gone.add_message("user", CANARY)
    gone.delete_softly()
    call(alice, key=key, choices=[{"message": {"content": CANARY}}])
    call(alice, key=key, finished_at=timezone.now() - timedelta(days=40))
    call(bob, text="bob's own", request=None)
    roll_up(days=60)
    Preferences.objects.create(user=alice, system_prompt=CANARY)
    UserLimits.objects.create(user=alice)
    EmailAddress.objects.create(user=alice, email="alice@example.com")
    return secret, made.create_share(with_name=True).get_absolute_url()


def find_rows(*words):
    """Rows of any table but the audit log's in which one of these words stands."""
    found = []
    for model in apps.get_models():
        if model._meta.proxy or model is AuditEvent:
            continue
        with connection.cursor() as cursor:
            cursor.execute(SQL("SELECT t::text FROM {} t").format(Identifier(model._meta.db_table)))
            found += [(model._meta.label, row) for (row,) in cursor.fetchall() if any(word in row for word in words)]
    return found


def test_all_that_is_theirs_goes_and_figures_stay_without_the_name(alice, bob):
    secret, link = create_everything(alice, bob)
    before = UsageDay.objects.sum_totals() | {"made_at": None}
    client, elsewhere = sign_in(), sign_in()
    assert Client().get(link).status_code == 200
    response = delete_account_of(client)
    assert response.status_code == 200
    assert "Your account is deleted" in response.content.decode()
    assert client.get("/settings/")["location"].startswith("/sign-in/")
    assert elsewhere.get("/settings/")["location"].startswith("/sign-in/")
    assert Client().get(link).status_code == 404
    assert caller_for_key(hash_secret(secret)) is None
    assert not find_rows(CANARY, "alice")
    assert not Share.objects.exists()
    assert not Session.objects.exists()

    heir = User.objects.get(username=DELETED_USER)
    assert not heir.is_active
    assert not heir.has_usable_password()
    assert list(Generation.objects.filter(owner=heir).values_list("request", "text", "key").distinct()) == [
        (None, "", None)
    ]
    assert Generation.objects.filter(owner=heir).count() == 3
    assert UsageDay.objects.sum_totals() | {"made_at": None} == before
    assert UsageDay.objects.for_user(heir.pk).sum_totals()["calls"] == 3
    assert not UsageDay.objects.find_stale_days(timezone.now().date() - timedelta(days=60))
    assert Generation.objects.get(owner=bob).text == "bob's own"


def test_two_who_leave_become_one_sum(alice, bob):
    bob.set_password(PASSWORD)
    bob.save()
    create_everything(alice, bob)
    delete_account_of(sign_in())
    delete_account_of(sign_in("bob"), "bob")
    today = UsageDay.objects.get(day=timezone.now().date())
    assert (today.user.username, today.calls, today.prompt_tokens, today.key) == (DELETED_USER, 3, 30, None)
    assert not UsageDay.objects.find_stale_days(timezone.now().date() - timedelta(days=60))


def test_the_audit_log_tells_who_left_and_from_where(alice):
    delete_account_of(sign_in())
    event = AuditEvent.objects.get(event="user.deleted")
    assert (event.actor_id, event.actor_name, event.object_name) == (int(event.object_id), "alice", "alice")
    assert event.address == "127.0.0.1"


def test_the_page_says_what_goes_in_figures(alice, bob):
    create_everything(alice, bob)
    page = sign_in().get(PAGE).content.decode()
    for words in ("1 conversation with all", "in 1 folder", "1 shared link", "1 API key", "without your name"):
        assert words in page
    assert "/api/v1/conversations/export/" in page


def test_the_pages_speak_spanish(alice, bob):
    create_everything(alice, bob)
    client, spanish = sign_in(), {"accept-language": "es"}
    page = client.get(PAGE, headers=spanish).content.decode()
    for words in ("1 conversación, con todo", "en 1 carpeta", "1 enlace compartido", "1 clave de API", "sin tu nombre"):
        assert words in page
    assert "Tienes 1 conversación." in client.get("/settings/data/", headers=spanish).content.decode()
    told = client.post(PAGE, {"username": "Alice"}, headers=spanish).content.decode()
    assert "Ese no es tu nombre de usuario. Se escribe «alice»." in told
    done = client.post(PAGE, {"username": "alice"}, headers=spanish).content.decode()
    assert "Tu cuenta está eliminada" in done


@pytest.mark.parametrize("given", ["", "Alice", "bob", "alice\x00"])
def test_without_the_right_name_nothing_happens(alice, bob, given):
    client = sign_in()
    response = delete_account_of(client, given)
    assert response.status_code == 422
    assert User.objects.filter(username="alice", is_active=True).exists()
    assert UserSession.objects.filter(user=alice).exists()


def test_a_session_alone_deletes_nothing_the_password_is_asked_again(alice):
    client = Client()
    client.post("/sign-in/", {"login": "alice", "password": PASSWORD})
    for method in (client.get, client.post):
        assert method(PAGE, {"username": "alice"})["location"].startswith("/sign-in/again/")
    client = sign_in()
    session = client.session
    for record in session[login.AUTHENTICATION_METHODS_SESSION_KEY]:
        record["at"] -= 301
    session.save()
    assert delete_account_of(client)["location"].startswith("/sign-in/again/")
    assert Client().get(PAGE)["location"] == f"/sign-in/?next={PAGE}"
    assert User.objects.filter(username="alice").exists()


def test_who_has_a_second_factor_gives_a_code_or_the_password(alice):
    alice.set_unusable_password()
    alice.save()
    TOTP.activate(alice, generate_totp_secret())
    client = Client()
    client.force_login(alice)
    assert client.get(PAGE)["location"].startswith("/sign-in/again/code/")


@pytest.mark.parametrize(("seconds", "status"), [(60, 200), (301, 403), (None, 403)])
def test_whom_a_provider_signs_in_has_to_have_come_from_there_lately(alice, seconds, status):
    alice.set_unusable_password()
    alice.save()
    client = Client()
    client.force_login(alice)
    if seconds is not None:
        session = client.session
        came = {"method": "socialaccount", "at": time.time() - seconds}
        session[login.AUTHENTICATION_METHODS_SESSION_KEY] = [came]
        session[login._AUTHENTICATION_METHODS_USER_SESSION_KEY] = str(alice.pk)
        session.save()
    assert client.get(PAGE).status_code == status
    assert delete_account_of(client).status_code == status
    assert User.objects.filter(username="alice").exists() is (status == 403)


def test_the_last_administrator_stays_until_there_is_another(alice, carol):
    User.objects.create_superuser("dave", is_active=False)
    client = sign_in("carol")
    page = client.get(PAGE).content.decode()
    assert "You are the only administrator" in page
    assert 'name="username"' not in page
    assert delete_account_of(client, "carol").status_code == 422
    assert User.objects.get(username="carol").is_active
    User.objects.filter(username="dave").update(is_active=True)
    assert delete_account_of(client, "carol").status_code == 200
    assert not User.objects.filter(username="carol").exists()


def test_of_the_last_two_who_leave_at_the_same_moment_one_stays(carol):
    """Both pass the first look; the rows decide."""
    dave = User.objects.create_superuser("dave")
    together, results = threading.Barrier(2, timeout=10), []

    def go(user):
        together.wait()
        try:
            delete_account(user)
            results.append("left")
        except LastAdministrator:
            results.append("stays")
        finally:
            connection.close()

    for _ in range(5):
        threads = [threading.Thread(target=go, args=[one]) for one in (carol, dave)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["left", "stays"]
        assert User.objects.filter(is_superuser=True, is_active=True).count() == 1
        results.clear()
        carol = User.objects.get(is_superuser=True)
        dave = User.objects.create_superuser("dave" if carol.username != "dave" else "erin")


@pytest.mark.alone
async def test_sockets_close_keys_stop_and_the_running_answer_ends_within_a_second(alice, bob, worker, fake):
    fake.settings.answer_tokens, fake.settings.rate = 5000, 100
    client = await in_database(sign_in)
    _, secret = await in_database(ApiKey.create_with_secret, alice.pk, "script")
    by_key = handshake_headers(x_api_key=secret, origin=None)
    async with open_socket(session_headers(client)) as socket, open_socket(by_key) as program:
        accepted = await socket.ask()
        await socket.send_frame(type="follow", generation=accepted["generation"])
        await socket.receive_frame("delta")
        began = time.monotonic()
        response = await in_database(delete_account_of, client)
        assert response.status_code == 200
        assert time.monotonic() - began < 2
        row = await in_database(Generation.objects.get, id=accepted["generation"])
        assert (row.status, row.text, row.request) == ("stopped", "", None)
        assert 0 < row.completion_tokens < 5000  # the ledger has what the engine made until then
        assert (await wait_close(socket))[0] == CLOSE_UNAUTHENTICATED
        code, seconds = await wait_close(program)
        assert (code, seconds < 1.2) == (CLOSE_UNAUTHENTICATED, True)
    assert not await shared_client().exists(log_key(row.id))
    assert not worker.relays
    assert await in_database(caller_for_key, hash_secret(secret)) is None


def test_an_answer_that_does_not_stop_in_time_is_never_stored(alice, monkeypatch):
    """As if its worker had not been heard of for a while: what it brings later finds no open row."""
    monkeypatch.setattr(account_deletion, "MAX_STOP_SECONDS", 0.1)
    made = Conversation.objects.create(owner=alice, title=CANARY)
    row = call(alice, status="running", attempt=1, worker="w", text="", finished_at=None, lease_until=timezone.now())
    made.add_message("user", CANARY)
    made.add_message("assistant", generation=row)
    assert delete_account_of(sign_in()).status_code == 200
    assert store_outcomes([Outcome(row.pk, 1, "done", text=CANARY)]) == set()
    assert not Generation.objects.claim("another", ["fake"], 10, timedelta(seconds=5))
    assert Generation.objects.get().status == "stopped"
    assert not find_rows(CANARY, "alice")


async def test_a_neighbours_answer_goes_on(alice, bob, worker, fake):
    fake.settings.answer_tokens, fake.settings.rate = 60, 100
    await in_database(lambda: (bob.set_password(PASSWORD), bob.save()))
    client, other = await in_database(sign_in), await in_database(sign_in, "bob")
    async with open_socket(session_headers(client)) as mine, open_socket(session_headers(other)) as theirs:
        await mine.ask()
        accepted = await theirs.ask()
        await in_database(delete_account_of, client)
        text, end = await theirs.receive_answer(accepted["generation"])
    assert (end["status"], text.split()[-1]) == ("done", "t59")


def test_without_redis_an_account_is_deleted_all_the_same(alice, configure):
    client = sign_in()
    configure(redis_url="unix:///nowhere/redis.sock")
    call(alice, status="queued", finished_at=None)
    assert delete_account_of(client).status_code == 200
    assert not find_rows(CANARY, "alice")
    assert Generation.objects.get().status == "stopped"


def test_two_windows_that_delete_at_once_are_both_told_that_it_is_done(alice):
    clients, answers = [sign_in(), sign_in()], []

    def go(client):
        answers.append(delete_account_of(client).status_code)
        connection.close()

    threads = [threading.Thread(target=go, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    assert set(answers) <= {200, 302}
    assert 200 in answers
    assert not User.objects.filter(username="alice").exists()
