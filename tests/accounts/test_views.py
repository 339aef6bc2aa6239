"""The first administrator's link, signing in and out."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.test import Client
from django.utils import timezone

from accounts import first_admin
from accounts.first_admin import first_admin_link
from tests.support.live import static_files

pytestmark = pytest.mark.django_db

CHOSEN = {"username": "carol", "password1": "a long enough word", "password2": "a long enough word"}


@pytest.fixture(autouse=True)
def files():
    static_files()


@pytest.fixture
def carol():
    return User.objects.create_superuser("carol", password="a long enough word")


def test_the_link_makes_the_first_administrator_and_signs_in(client):
    link = first_admin_link()
    assert client.get(link).status_code == 200
    response = client.post(link, CHOSEN)
    assert (response.status_code, response["location"]) == (302, "/")
    user = User.objects.get()
    assert (user.username, user.is_superuser, user.is_staff) == ("carol", True, True)
    assert client.get("/").status_code == 200


def test_the_link_works_once(client):
    link = first_admin_link() or ""
    client.post(link, CHOSEN)
    assert first_admin_link() is None
    for response in (Client().get(link), Client().post(link, CHOSEN | {"username": "mallory"})):
        assert response.status_code == 410
        assert "There is an administrator already" in response.content.decode()
    assert User.objects.count() == 1


def test_an_old_link_is_closed(client, monkeypatch):
    link = first_admin_link()
    monkeypatch.setattr(first_admin, "MAX_LINK_AGE_SECONDS", -1)
    response = client.get(link)
    assert response.status_code == 410
    assert "make run" in response.content.decode()


OTHER = signing.dumps("administrator", salt="other")


@pytest.mark.parametrize(
    "token", ["x", "administrator", pytest.param(OTHER, id="signed for another purpose"), "%00", "é", "a" * 5000]
)
def test_a_wrong_link_is_closed_and_makes_nobody(client, token):
    for response in (client.get(f"/setup/{token}/"), client.post(f"/setup/{token}/", CHOSEN)):
        assert response.status_code == 410
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password1": "password1234", "password2": "password1234"}, "too common"),
        ({"password2": "something else"}, "match"),
        ({"username": ""}, "required"),
        ({"username": "a b<script>"}, "valid username"),
        ({"username": "x" * 151}, "150"),
    ],
)
def test_a_name_or_password_that_will_not_do_is_explained(client, change, fault):
    response = client.post(first_admin_link(), CHOSEN | change)
    assert response.status_code == 422
    assert fault in response.content.decode()
    assert not User.objects.exists()


def test_more_fields_than_the_form_has_change_nothing(client):
    client.post(first_admin_link(), CHOSEN | {"id": "77", "is_active": "", "email": "x@example.com"})
    user = User.objects.get()
    assert (user.is_active, user.email) == (True, "")


def test_every_form_needs_its_token(carol):
    client = Client(enforce_csrf_checks=True)
    for address in ("/sign-in/", "/sign-out/"):
        response = client.post(address, {"login": "carol", "password": "a long enough word"})
        assert response.status_code == 403
        assert "Cookies are missing" in response.content.decode()


def test_signing_in_and_out(client, carol):
    assert client.get("/")["location"] == "/sign-in/?next=/"
    response = client.post("/sign-in/", {"login": "carol", "password": "a long enough word", "next": "/"})
    assert (response.status_code, response["location"]) == (302, "/")
    cookie = response.cookies[settings.SESSION_COOKIE_NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert client.get("/").status_code == 200
    assert client.get("/sign-out/").status_code == 405  # a picture on another page cannot sign anyone out
    assert client.post("/sign-out/")["location"] == "/sign-in/"
    assert client.get("/").status_code == 302


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(client, carol):
    def answer(name):
        page = client.post("/sign-in/", {"login": name, "password": "wrong"}).content.decode()
        return page[page.index('role="alert"') : page.index("<label")]

    assert answer("carol") == answer("nobody")


def test_somebody_who_is_not_active_cannot_sign_in(client, carol):
    User.objects.update(is_active=False)
    client.post("/sign-in/", {"login": "carol", "password": "a long enough word"})
    assert client.get("/").status_code == 302


def test_signing_in_leads_nowhere_else(client, carol):
    data = {"login": "carol", "password": "a long enough word", "next": "https://evil.example/"}
    assert client.post("/sign-in/", data)["location"] == "/"


def test_without_an_administrator_the_sign_in_says_how_to_make_one(client):
    assert "createuser" in client.get("/sign-in/").content.decode()
    User.objects.create_superuser("carol")
    assert "createuser" not in client.get("/sign-in/").content.decode()


def test_a_session_ends_after_its_time(client, carol):
    client.force_login(carol)
    session = client.session
    session.set_expiry(timezone.now() - timedelta(seconds=1))
    session.save()
    assert client.get("/").status_code == 302


def test_pages_speak_the_readers_language(client, carol):
    assert "Iniciar sesión" in client.get("/sign-in/", headers={"accept-language": "es-MX,es;q=0.9"}).content.decode()
    assert "Sign in" in client.get("/sign-in/", headers={"accept-language": "de"}).content.decode()
