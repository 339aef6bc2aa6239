"""What signing in leaves open, and what it does not."""

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import get_resolver

from jarvis.lib.secrets import cookie_name
from tests.support.accounts import PASSWORD, code_of, sign_in

pytestmark = pytest.mark.django_db

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    " https://evil.example",
    "https://localhost@evil.example/",
    "https://localhost/",
]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_next_leads_to_pages_of_this_site_only(client, alice, path):
    assert sign_in(client, "alice", next=path)["location"] == "/"


def test_next_leads_where_one_wanted_to_go(client, alice):
    assert sign_in(client, "alice", next="/settings/keys/")["location"] == "/settings/keys/"
    assert client.get("/sign-in/?next=/settings/")["location"] == "/settings/"  # who is signed in goes on at once


def test_the_session_is_another_one_after_signing_in(client, alice):
    client.get("/sign-in/passkey/", headers={"accept": "application/json"})  # makes a session before anyone is known
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    sign_in(client, "alice")
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert not Session.objects.filter(session_key=before).exists()


def test_a_session_that_somebody_else_planted_is_not_taken_over(client, alice, bob):
    client.force_login(bob)
    planted = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/sign-out/")
    client.cookies[settings.SESSION_COOKIE_NAME] = planted
    sign_in(client, "alice")
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != planted


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client, alice):
    client.get("/sign-in/")
    sign_in(client, "alice")
    for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME):
        assert client.cookies[name]["httponly"]
        assert client.cookies[name]["samesite"] == "Lax"


def test_cookies_have_names_that_no_other_site_and_no_other_jarvis_of_this_host_uses(client, alice):
    client.get("/sign-in/")
    sign_in(client, "alice")
    assert set(client.cookies) == {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
    kinds = ("session", "csrf", "language")
    ours, others = ({cookie_name(kind, key * 50) for kind in kinds} for key in "ab")
    assert len(ours | others) == 6
    assert not (ours | others | set(client.cookies)) & {"sessionid", "csrftoken", "django_language", "messages"}


def test_every_page_that_takes_a_form_wants_its_token(alice):
    """From the URL configuration, so that a new page cannot be forgotten."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    tried = 0
    for pattern in get_resolver("accounts.urls").url_patterns:
        given = {name: 1 if kind.__class__.__name__ == "IntConverter" else "x" for name, kind in converters(pattern)}
        if not getattr(pattern, "name", None) or "callback" in pattern.name:
            continue
        path = "/" + str(pattern.pattern).replace("^", "").replace("$", "")
        for name, value in given.items():
            path = path.replace(f"<int:{name}>", str(value)).replace(f"<str:{name}>", str(value))
        path = path.replace("(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)", "1-x").replace("(?P<key>[-:\\w]+)", "x")
        assert client.post(path, {}).status_code == 403, path
        tried += 1
    assert tried > 40


def converters(pattern):
    return getattr(pattern.pattern, "converters", {}).items()


def test_one_can_sign_in_by_e_mail_whatever_its_case(client, alice):
    assert sign_in(client, "Alice@Example.com")["location"] == "/"


def test_the_admin_has_no_door_of_its_own(client, carol):
    assert client.get("/admin/login/?next=/admin/")["location"] == "/sign-in/?next=%2Fadmin%2F"
    response = client.post("/admin/login/", {"username": "carol", "password": PASSWORD})
    assert response["location"].startswith("/sign-in/")
    TOTP.activate(carol, generate_totp_secret())
    sign_in(client, "carol")
    assert client.get("/admin/").status_code == 302  # half signed in is not signed in
    assert client.get("/admin/password_change/")["location"].startswith(("/settings/password/", "/sign-in/"))


def test_two_factor_asks_for_a_code_once_and_no_page_opens_before(client, alice):
    secret = generate_totp_secret()
    TOTP.activate(alice, secret)
    assert sign_in(client, "alice", next="/settings/keys/")["location"] == "/sign-in/two-factor/"
    for page in ("/", "/settings/", "/settings/two-factor/codes/", "/settings/two-factor/off/", "/settings/keys/"):
        assert client.get(page).status_code == 302
    page = client.get("/sign-in/two-factor/")
    assert page.status_code == 200
    assert "Use a passkey" not in page.content.decode()  # alice has none
    code = code_of(secret)
    assert "Incorrect" in client.post("/sign-in/two-factor/", {"code": "0000000"}).content.decode()
    assert client.post("/sign-in/two-factor/", {"code": code})["location"] == "/settings/keys/"
    assert client.get("/").status_code == 200
    other = Client()
    sign_in(other, "alice")
    assert other.post("/sign-in/two-factor/", {"code": code}).status_code == 200  # a code works once


def test_a_recovery_code_works_once(client, alice):
    TOTP.activate(alice, generate_totp_secret())
    code = RecoveryCodes.activate(alice).get_unused_codes()[0]
    sign_in(client, "alice")
    assert client.post("/sign-in/two-factor/", {"code": code})["location"] == "/"
    other = Client()
    sign_in(other, "alice")
    assert other.post("/sign-in/two-factor/", {"code": code}).status_code == 200


def test_secrets_of_second_factors_are_not_in_the_database_as_they_are(alice, settings):
    secret = generate_totp_secret()
    factor = TOTP.activate(alice, secret)
    codes = RecoveryCodes.activate(alice).get_unused_codes()
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert not [word for word in (secret, *codes) if word in stored]
    assert factor.validate_code(code_of(secret))
    settings.SECRET_KEY = "another" * 10
    fresh = Authenticator.objects.get(type="totp").wrap()
    assert not fresh.validate_code(code_of(secret, ago=1))  # and no error


def test_changing_what_protects_an_account_asks_for_the_password_again(client, alice):
    client.force_login(alice)
    for page in ("/settings/two-factor/", "/settings/passkeys/add/", "/settings/two-factor/codes/new/"):
        assert client.get(page)["location"].startswith("/sign-in/again/")
    assert client.post("/sign-in/again/", {"password": "wrong"}).status_code == 200
    response = client.post("/sign-in/again/", {"password": PASSWORD, "next": "/settings/two-factor/"})
    assert response["location"] == "/settings/two-factor/"
    assert client.get("/settings/two-factor/").status_code == 200
    assert client.post("/sign-in/again/", {"password": PASSWORD, "next": "//evil.example"})["location"] == "/"


def test_a_password_is_changed_by_who_knows_the_old_one(client, alice):
    client.force_login(alice)
    new = {"password1": "another long word", "password2": "another long word"}
    assert client.post("/settings/password/", {"oldpassword": "wrong"} | new).status_code == 200
    response = client.post("/settings/password/", {"oldpassword": PASSWORD} | new | {"is_superuser": "on"})
    assert response["location"] == "/settings/security/"
    alice.refresh_from_db()
    assert (alice.check_password("another long word"), alice.is_superuser) == (True, False)
    assert client.get("/").status_code == 200  # this session stays


def test_somebody_who_is_not_active_is_told_so_only_with_the_right_password(client, alice):
    User.objects.update(is_active=False)
    assert sign_in(client, "alice", "wrong").status_code == 200
    assert sign_in(client, "alice")["location"] == "/sign-in/inactive/"
    assert client.get("/").status_code == 302


def test_an_open_sign_up_takes_nothing_that_the_form_does_not_show(client, db, configure):
    configure(signup="open")
    more = {"is_staff": "on", "is_superuser": "on", "is_active": "", "groups": "1", "first_name": "x"}
    new = {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/sign-up/", new | more)["location"] == "/"
    eve = User.objects.get()
    assert (eve.is_staff, eve.is_superuser, eve.is_active, eve.first_name) == (False, False, True, "")
