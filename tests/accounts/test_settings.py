"""Settings: each person's own, and no more than the forms show."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts import sessions
from accounts.authentication import caller_for_key
from accounts.devices import describe_device
from accounts.middleware import ZONE_COOKIE, parse_zone
from accounts.models import ApiKey, Preferences, hash_secret
from accounts.tasks import clear_sessions
from inference.models import LanguageModel

pytestmark = pytest.mark.django_db

RIGHTS = {"is_staff": "on", "is_superuser": "on", "is_active": "", "groups": "1", "username": "root", "user": "1"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def client(alice):
    client = Client(headers={"user-agent": FIREFOX})
    client.post("/sign-in/", {"login": "alice", "password": "a long enough word"})
    return client


def rights(user):
    user.refresh_from_db()
    return user.username, user.is_staff, user.is_superuser, user.is_active, user.groups.count()


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/settings/", {"first_name": "Al", "email": "al@example.com"}),
        ("/settings/appearance/", {"theme": "dark", "language": "es"}),
        ("/settings/chat/", {"model": "", "system_prompt": "Be brief.", "temperature": "0.5"}),
        ("/settings/keys/", {"label": "x", "expires_at": "30"}),
    ],
)
def test_no_form_gives_rights_or_another_owner(client, alice, carol, path, data):
    before = rights(alice)
    response = client.post(path, data | RIGHTS | {"owner": carol.pk, "user_id": carol.pk, "digest": "0", "prefix": "x"})
    assert response.status_code in (200, 302)
    assert rights(alice) == before
    assert not Preferences.objects.exclude(user=alice).exists()
    assert not ApiKey.objects.exclude(owner=alice).exists()
    assert not ApiKey.objects.filter(digest="0").exists()


def test_a_name_and_an_address_are_kept_and_a_former_address_signs_in_no_more(client, alice):
    EmailAddress.objects.create(user=alice, email="alice@example.com")
    client.post("/settings/", {"first_name": "Al", "email": "New@Example.com"})
    alice.refresh_from_db()
    assert (alice.first_name, alice.email) == ("Al", "new@example.com")
    assert not EmailAddress.objects.exists()
    response = Client().post("/sign-in/", {"login": "alice@example.com", "password": "a long enough word"})
    assert response.status_code == 200


def test_somebody_elses_address_is_refused(client, alice, bob):
    User.objects.filter(pk=bob.pk).update(email="bob@example.com")
    response = client.post("/settings/", {"first_name": "", "email": "BOB@example.com"})
    assert response.status_code == 422
    assert "Another account has this address" in response.content.decode()


def test_the_theme_is_in_the_page_itself(client):
    assert 'data-theme="system"' in client.get("/settings/").content.decode()
    client.post("/settings/appearance/", {"theme": "dark", "language": ""})
    for path in ("/", "/settings/", "/nowhere/"):
        page = client.get(path, headers={"accept": "text/html"}).content.decode()
        assert 'data-theme="dark"' in page
        assert 'name="color-scheme" content="dark"' in page


def test_the_chosen_language_goes_before_the_browsers(client):
    assert "Apariencia" in client.get("/settings/", headers={"accept-language": "es"}).content.decode()
    client.post("/settings/appearance/", {"theme": "system", "language": "es"})
    page = client.get("/settings/", headers={"accept-language": "en"}).content.decode()
    assert '<html lang="es"' in page
    assert "Apariencia" in page


@pytest.mark.parametrize("data", [{"theme": "pink", "language": ""}, {"theme": "dark", "language": "xx"}, {}])
def test_what_cannot_be_chosen_is_refused_and_nothing_is_kept(client, data):
    assert client.post("/settings/appearance/", data | {"x": "y"}).status_code == 422
    assert not Preferences.objects.exists()


def test_defaults_of_the_chat_are_kept_and_checked(client, alice):
    LanguageModel.objects.register_served("Qwen/Qwen3-8B")
    data = {"model": "Qwen/Qwen3-8B", "system_prompt": "Be brief.", "temperature": "0.5", "speak": "on"}
    assert client.post("/settings/chat/", data).status_code == 302
    kept = Preferences.objects.get()
    assert (kept.model, kept.system_prompt, kept.temperature) == ("Qwen/Qwen3-8B", "Be brief.", 0.5)
    assert (kept.speak, kept.listen) == (True, False)
    for wrong in ({"temperature": "2.1"}, {"temperature": "-1"}, {"model": "nobody"}, {"system_prompt": "x" * 20_001}):
        assert client.post("/settings/chat/", data | wrong).status_code == 422
    LanguageModel.objects.all().delete()
    assert client.post("/settings/chat/", data).status_code == 302  # a model that is away is not lost by saving
    assert Preferences.objects.get().model == "Qwen/Qwen3-8B"


def test_times_are_told_in_the_readers_zone(client, alice):
    key, _ = ApiKey.create_with_secret(alice.pk, "x")
    ApiKey.objects.update(last_used_at="2026-01-31T23:30:00Z")
    page = client.get("/settings/keys/").content.decode()
    assert '<time datetime="2026-01-31T23:30:00.000Z">Jan. 31, 2026, 11:30 p.m.</time>' in page
    client.cookies[ZONE_COOKIE] = "Europe/Madrid"
    page = client.get("/settings/keys/").content.decode()
    assert '<time datetime="2026-01-31T23:30:00.000Z">Feb. 1, 2026, 12:30 a.m.</time>' in page
    assert key.pk


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "/etc/passwd", "\x00", "a" * 5000, "Europe"])
def test_a_zone_that_does_not_exist_is_utc(client, name):
    assert parse_zone(name) is None


def test_settings_take_few_queries(client, django_assert_max_num_queries):
    client.get("/settings/")
    with django_assert_max_num_queries(3):  # the session, the reader with what they prefer, their row for the form
        client.get("/settings/appearance/")
    with django_assert_max_num_queries(5):
        client.get("/settings/keys/")


# Keys


def test_a_key_is_shown_once_and_is_its_owners(client, alice):
    response = client.post("/settings/keys/", {"label": "laptop", "expires_at": "30"})
    assert "no-store" in response["cache-control"]
    secret = response.context["secret"]
    assert secret in response.content.decode()
    assert caller_for_key(hash_secret(secret)).user_id == alice.pk
    key = ApiKey.objects.get()
    assert timedelta(days=29) < key.expires_at - timezone.now() < timedelta(days=31)
    for path in ("/settings/keys/", f"/settings/keys/{key.pk}/revoke/", "/settings/"):
        page = client.get(path)
        assert secret not in page.content.decode()
        assert "no-store" in page["cache-control"]
    assert secret not in str(dict(client.session))


def test_a_key_is_revoked_after_a_question(client, alice):
    key, secret = ApiKey.create_with_secret(alice.pk, "laptop")
    path = f"/settings/keys/{key.pk}/revoke/"
    assert client.get(path).status_code == 200
    assert caller_for_key(hash_secret(secret)) is not None
    assert client.post(path)["location"] == "/settings/keys/"
    assert caller_for_key(hash_secret(secret)) is None
    assert "revoked" in client.get("/settings/keys/").content.decode()
    assert client.post(path).status_code == 404


def test_somebody_elses_key_and_session_are_404(client, bob):
    key, _ = ApiKey.create_with_secret(bob.pk, "bob's")
    Client().force_login(bob)
    session = UserSession.objects.get(user=bob)
    for path in (f"/settings/keys/{key.pk}/revoke/", f"/settings/sessions/{session.pk}/end/"):
        assert client.post(path).status_code == 404
    assert "bob" not in client.get("/settings/keys/").content.decode()
    assert ApiKey.objects.usable().count() == 1
    assert Session.objects.filter(session_key=session.session_key).exists()


@pytest.mark.parametrize("data", [{"label": ""}, {"label": "x" * 101}, {"label": "x", "expires_at": "31"}])
def test_what_cannot_be_a_key_is_explained(client, data):
    assert client.post("/settings/keys/", data).status_code == 422
    assert not ApiKey.objects.exists()


def test_a_name_of_a_key_is_shown_as_it_was_written(client, alice):
    nasty = "<script>alert(1)</script>"
    ApiKey.create_with_secret(alice.pk, nasty)
    page = client.get("/settings/keys/").content.decode()
    assert nasty not in page
    assert "&lt;script&gt;" in page


# Sessions


def test_sessions_are_listed_and_ended_one_by_one_or_all_others(client, alice):
    others = [Client(), Client(), Client()]
    for other in others:
        other.force_login(alice)
    page = client.get("/settings/sessions/").content.decode()
    assert page.count("/end/") == 3
    assert "Firefox, Linux" in page
    assert not [key for key in Session.objects.values_list("session_key", flat=True) if key in page]
    ended = UserSession.objects.get(session_key=others[0].session.session_key)
    client.post(f"/settings/sessions/{ended.pk}/end/")
    assert others[0].get("/").status_code == 302
    assert others[1].get("/").status_code == 200
    client.post("/settings/sessions/end-others/")
    assert others[1].get("/").status_code == others[2].get("/").status_code == 302
    assert client.get("/settings/sessions/").status_code == 200


def test_when_a_session_was_last_seen_is_noted_once_a_minute(client, alice):
    session = UserSession.objects.get()
    long_ago = timezone.now() - timedelta(hours=1)
    UserSession.objects.update(last_seen_at=long_ago)
    client.get("/settings/")
    session.refresh_from_db()
    assert session.last_seen_at == long_ago  # noted at the sign-in, less than a minute ago
    sessions._noted.clear()
    client.get("/settings/")
    session.refresh_from_db()
    assert timezone.now() - session.last_seen_at < timedelta(minutes=1)


def test_what_is_said_of_sessions_that_are_over_is_removed_at_night(client, alice):
    over = Client()
    over.force_login(alice)
    Session.objects.filter(session_key=over.session.session_key).update(expire_date=timezone.now() - timedelta(days=1))
    clear_sessions()
    assert [session.session_key for session in UserSession.objects.all()] == [client.session.session_key]


@pytest.mark.parametrize(
    ("said", "device"),
    [
        (FIREFOX, "Firefox, Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0) AppleWebKit/605 Version/19 Safari/604",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140.0 Safari/537 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537 Chrome/140.0 Mobile Safari/537", "Chrome, Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/19 Safari/605", "Safari, macOS"),
        ("curl/8.0", "curl"),
        ("", ""),
        ("<script>", ""),
    ],
)
def test_a_device_is_recognised_by_what_its_browser_says(said, device):
    assert describe_device(said) == device
