"""A form that is refused says why, in words that help; and who is in already is led on."""

import pytest
from django.conf import settings
from django.test import Client
from django.utils.html import escape

from tests.support.accounts import PASSWORD

pytestmark = pytest.mark.django_db


class Browser:
    """One that sends what real ones do: cookies, the token of the form, and where it comes from."""

    def __init__(self, host="localhost", origin="http://localhost", **headers):
        self.client = Client(enforce_csrf_checks=True)
        self.headers = {"host": host} | headers
        self.origin = {"origin": origin} if origin is not None else {}

    def token(self, path="/sign-in/"):
        page = self.client.get(path, headers=self.headers).content.decode()
        return page.split('name="csrfmiddlewaretoken" value="', 1)[1].split('"')[0]

    def send(self, path="/sign-in/", token=None, *, secure=False, **fields):
        form = {"login": "alice", "password": PASSWORD, "csrfmiddlewaretoken": self.token() if token is None else token}
        return self.client.post(path, form | fields, headers=self.headers | self.origin, secure=secure)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:80", "http://localhost"),
        ("localhost:443", "https://localhost"),
        ("localhost", "https://localhost"),
        ("localhost:8443", "https://localhost:8443"),
        ("localhost", None),
    ],
)
def test_one_signs_in_behind_a_proxy_that_names_the_usual_port_or_ends_tls(alice, host, origin):
    assert Browser(host, origin).send()["location"] == "/"


def test_resources_take_the_session_of_such_a_page(alice):
    browser = Browser("localhost:80")
    browser.client.force_login(alice)
    token = browser.token("/settings/")
    sent = browser.headers | browser.origin | {"x-csrftoken": token}
    key = {"label": "laptop"}
    assert browser.client.post("/api/v1/keys/", key, "application/json", headers=sent).status_code == 201
    answer = browser.client.post(
        "/api/v1/keys/", key, "application/json", headers=sent | {"origin": "http://localhost:81"}
    )
    assert answer.status_code == 403
    assert "JARVIS_TRUSTED_ORIGINS" in answer.json()["error"]["message"]


def test_a_page_at_a_trusted_address_may_send_forms(alice, configure):
    browser = Browser("localhost:8090", "https://jarvis.example.com")
    assert browser.send().status_code == 403
    configure(trusted_origins=("https://jarvis.example.com",))
    assert browser.send()["location"] == "/"


TEST_SITE = {"host": "testserver"}  # no name of this machine itself, which needs no TLS
CAUSES = [
    ("another port", {"origin": "http://localhost:8443"}, {}, ["http://localhost:8443", "JARVIS_TRUSTED_ORIGINS"]),
    ("another site", {"origin": "https://evil.example"}, {}, ["https://evil.example", "JARVIS_TRUSTED_ORIGINS"]),
    ("a hidden page", {"origin": "null"}, {}, ["privacy"]),
    ("no page", {"origin": None}, {"secure": True}, ["privacy"]),
    ("an odd page", {"origin": None, "referer": "nowhere"}, {"secure": True}, ["privacy"]),
    ("a page without TLS", TEST_SITE | {"origin": "http://testserver"}, {"secure": True}, ["https://testserver"]),
    (
        "a form without TLS",
        TEST_SITE | {"origin": None, "referer": "http://testserver/"},
        {"secure": True},
        ["https://testserver"],
    ),
    (
        "another page",
        {"origin": None, "referer": "https://e.example/x"},
        {"secure": True},
        ["from https://e.example, but"],
    ),
    ("no token", {}, {"token": ""}, ["without its token"]),
    ("a cut token", {}, {"token": "x"}, ["too old"]),
    ("an old token", {}, {"token": "x" * 64}, ["too old", "signed in or out"]),
]


@pytest.mark.parametrize(("browser", "sent", "words"), [cause[1:] for cause in CAUSES], ids=[c[0] for c in CAUSES])
def test_the_page_names_the_cause(alice, browser, sent, words):
    opened = Browser(**browser)
    opened.token()
    answer = opened.send(**sent)
    assert answer.status_code == 403
    text = answer.content.decode()
    assert [word for word in words if word not in text] == []
    assert ("too old" in text) == ("too old" in words)


def test_without_cookies_the_page_says_so(alice, configure):
    browser = Browser()
    token = browser.token()
    browser.client.cookies.clear()
    assert "Allow cookies" in browser.send(token=token).content.decode()
    browser.client.cookies[settings.CSRF_COOKIE_NAME] = "of-another-site"
    assert "too old" in browser.send(token=token).content.decode()
    browser.client.cookies.clear()
    configure(secure=True)
    assert "https://" in browser.send(token=token).content.decode()


@pytest.mark.parametrize("host", ["evil.example", "x y", "<b>.example", "a" * 300])
def test_a_host_that_is_not_served_is_told_with_the_setting(host):
    answer = Client().get("/sign-in/", headers={"host": host})
    assert answer.status_code == 400
    text = answer.content.decode()
    assert escape(host[:253]) in text
    assert "JARVIS_ALLOWED_HOSTS" in text
    assert "<b>" not in text


def test_the_second_tab_of_the_sign_in_leads_in(alice):
    browser = Browser()
    first, second = browser.token(), browser.token()
    assert browser.send(token=first)["location"] == "/"
    assert browser.send(token=second)["location"] == "/"
    assert browser.send(token=second, next="/settings/keys/")["location"] == "/settings/keys/"
    assert browser.send(token=second, next="https://evil.example/")["location"] == "/"
    for path in ("/sign-up/", "/join/x/", "/sign-in/two-factor/"):
        assert browser.send(path, token=second)["location"] == "/"


def test_an_old_form_does_nothing_and_leads_nowhere_else(alice):
    browser = Browser(referer="http://localhost/settings/?a=b")
    token = browser.token()
    assert browser.send(token="x" * 64).status_code == 403  # nobody is in
    browser.send(token=token)
    for path in ("/settings/", "/sign-out/", "/settings/keys/"):
        answer = browser.send(path, token=token)
        assert answer.status_code == 403
        assert 'href="/settings/"' in answer.content.decode()  # where the form was
    foreign = Browser(origin="https://evil.example")
    foreign.client.cookies = browser.client.cookies
    assert foreign.send(token=token).status_code == 403


def test_the_cause_is_told_in_spanish_too(alice):
    browser = Browser(origin="https://evil.example", **{"accept-language": "es"})
    browser.token()
    assert "El formulario viene de https://evil.example" in browser.send().content.decode()
    answer = Client().get("/sign-in/", headers={"host": "evil.example", "accept-language": "es"})
    assert "no se atiende aquí" in answer.content.decode()
