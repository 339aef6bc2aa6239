"""Signing in at an OpenID Connect provider: a real one, small, on this machine."""

import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Group, User
from django.test import Client

from jarvis.lib.config import config
from tests.support.accounts import PASSWORD
from tests.support.provider import CLIENT, SECRET, serving_provider

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def served():
    with serving_provider() as provider:
        yield provider


@pytest.fixture
def provider(served, settings, configured):
    app = {"provider_id": "sso", "name": "Team", "client_id": CLIENT, "secret": SECRET}
    app["settings"] = {"server_url": served.address}
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    configured(served)
    served.refuses = False
    served.claims = {"sub": "1", "preferred_username": "dora", "email": "dora@example.com", "email_verified": True}
    return served


@pytest.fixture
def configured(configure, settings):
    def offer(served, **fields):
        at = {"oidc_server_url": served.address, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}
        configure(oidc_name="Team", oidc_signup=False, oidc_match_email=False)
        configure(**at, **fields)
        settings.SOCIALACCOUNT_EMAIL_AUTHENTICATION = config.oidc_match_email
        settings.SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = config.oidc_match_email

    return offer


def through(client, **query):
    """Press the button, go to the provider and come back."""
    page = client.post("/oidc/sso/login/" + ("?process=connect" if query.pop("connect", False) else ""), query)
    assert page.status_code == 200
    assert "form-action 'self'" in page["content-security-policy"]
    back = requests.get(page.context["address"], allow_redirects=False, timeout=5).headers["location"]
    return client.get(back.removeprefix("http://testserver"))


def test_the_sign_in_offers_it_by_its_name(client, provider):
    page = client.get("/sign-in/").content.decode()
    assert "Go on with Team" in page
    assert SECRET not in page


def test_a_stranger_gets_no_account_unless_it_is_switched_on(client, provider, configured):
    response = through(client)
    assert response.status_code == 403
    assert "no account is connected" in response.content.decode()
    assert not User.objects.exists()
    configured(provider, oidc_signup=True)
    provider.claims |= {"is_staff": True, "is_superuser": True, "groups": ["admins"]}
    Group.objects.create(name="admins")
    assert through(client, next="/settings/")["location"] == "/settings/"
    dora = User.objects.get()
    assert (dora.username, dora.email, dora.has_usable_password()) == ("dora", "dora@example.com", False)
    assert (dora.is_staff, dora.is_superuser, dora.groups.count()) == (False, False, 0)
    assert through(Client())["location"] == "/"
    assert User.objects.count() == 1


def test_a_name_that_is_taken_here_becomes_another_one(client, provider, configured, alice):
    configured(provider, oidc_signup=True)
    provider.claims |= {"preferred_username": "alice"}
    through(client)
    assert User.objects.exclude(pk=alice.pk).get().username != "alice"
    assert client.get("/settings/").context["user"] != alice


@pytest.mark.parametrize("name", ["ALICE", "Ａｌｉｃｅ"])
def test_a_name_that_differs_in_case_alone_becomes_another_one_too(client, provider, configured, alice, name):
    configured(provider, oidc_signup=True)
    provider.claims |= {"preferred_username": name}
    assert through(client)["location"] == "/"
    assert client.get("/settings/").context["user"] != alice


def test_an_address_that_was_stored_with_capitals_is_the_same(client, provider, configured, alice):
    configured(provider, oidc_match_email=True)
    alice.email = "ALICE@Example.com"
    alice.save()
    provider.claims |= {"email": "Alice@EXAMPLE.com"}
    assert through(client)["location"] == "/"
    assert client.get("/settings/").context["user"] == alice


def test_an_account_is_connected_by_its_owner_and_then_signs_in(client, provider, alice):
    client.force_login(alice)
    assert through(client, connect=True)["location"] == "/sign-in/again/"  # not whoever finds a page open
    assert client.post("/sign-in/again/", {"password": PASSWORD})["location"] == "/settings/security/"
    assert "You can sign in with Team" in client.get("/settings/security/").content.decode()
    other = Client()
    assert through(other)["location"] == "/"
    assert other.get("/settings/").context["user"] == alice
    TOTP.activate(alice, generate_totp_secret())
    assert through(Client())["location"] == "/sign-in/two-factor/"  # a provider does not take the place of it
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert through(Client())["location"] == "/sign-in/inactive/"


def test_the_same_address_signs_in_only_when_switched_on_and_verified(client, provider, configured, alice):
    provider.claims |= {"email": "alice@example.com"}
    assert through(client).status_code == 403
    configured(provider, oidc_match_email=True)
    provider.claims |= {"email_verified": False}
    assert through(client).status_code == 403
    provider.claims |= {"email_verified": True}
    assert through(client)["location"] == "/"
    assert client.get("/settings/").context["user"] == alice


def test_an_answer_that_nobody_asked_for_is_refused(client, provider, configured):
    configured(provider, oidc_signup=True)
    for query in ("", "?code=x", "?code=x&state=forged", "?error=server_error"):
        response = client.get(f"/oidc/sso/login/callback/{query}")
        assert response.status_code in (200, 401)
        assert "did not work" in response.content.decode()
    assert not User.objects.exists()


def test_what_was_begun_in_one_browser_does_not_end_in_another(provider, configured):
    configured(provider, oidc_signup=True)
    page = Client().post("/oidc/sso/login/")
    back = requests.get(page.context["address"], allow_redirects=False, timeout=5).headers["location"]
    victim = Client()
    assert "did not work" in victim.get(back.removeprefix("http://testserver")).content.decode()
    assert victim.get("/").status_code == 302


def test_who_says_no_at_the_provider_is_back_at_the_sign_in(client, provider):
    provider.refuses = True
    assert through(client)["location"] == "/sign-in/cancelled/"


def test_a_provider_that_does_not_answer_is_said_so(client, provider, settings):
    settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    response = client.post("/oidc/sso/login/")
    assert response.status_code == 503
    assert "does not answer" in response.content.decode()


def test_without_a_provider_there_is_no_such_page(client, db):
    assert client.post("/oidc/sso/login/").status_code == 404
    assert client.get("/oidc/other/login/callback/").status_code == 404


def test_getting_the_address_asks_first(client, provider):
    """A picture on another page must not begin anything."""
    response = client.get("/oidc/sso/login/")
    assert response.status_code == 200
    assert "You go on at Team" in response.content.decode()
