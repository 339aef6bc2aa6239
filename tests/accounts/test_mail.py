"""Every mail says in a few plain lines, in its reader's language, which site it comes from and what to do."""

from pathlib import Path

import allauth
import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.template.loader import get_template, render_to_string
from django.utils import timezone, translation

from accounts.models import Preferences
from tests.support.accounts import PASSWORD, code_of, mail, sign_in

pytestmark = pytest.mark.django_db

__all__ = ["mail"]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
BROUGHT = Path(allauth.__file__).parent / "templates"
SWITCHED_OFF = ("login_code", "password_reset_code")  # signing in and resetting by code
PREFIXES = sorted(
    f"{app}/email/{path.name.removesuffix('_message.txt')}"
    for app in ("account", "mfa", "socialaccount")
    for path in (BROUGHT / app / "email").glob("*_message.txt")
    if path.name.removesuffix("_message.txt") not in (*SWITCHED_OFF, "base")
)


class Site:
    domain = name = "jarvis.example"


def drawn(prefix, user, language):
    links = {name: f"https://jarvis.example/{name}" for name in ("activate_url", "password_reset_url", "reset_url")}
    about = {"user": user, "current_site": Site, "email": "a@example.com", "timestamp": timezone.now(), "ip": "::1"}
    changed = {"from_email": "a@example.com", "to_email": "b@example.com", "deleted_email": "c@example.com"}
    with translation.override(language):
        return [
            render_to_string(f"{prefix}_{part}.txt", {**links, **about, **changed, "provider": "Team"})
            for part in ("subject", "message")
        ]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_mail_that_can_be_sent_is_ours_short_plain_and_in_both_languages(alice, prefix):
    alice.username = "o'hara&co"
    for part in ("subject", "message"):
        assert Path(get_template(f"{prefix}_{part}.txt").origin.name).is_relative_to(settings.BASE / "templates")
    english, spanish = drawn(prefix, alice, "en"), drawn(prefix, alice, "es")
    for subject, message in (english, spanish):
        assert len(subject.strip().splitlines()) == 1
        assert len(message.strip().splitlines()) <= 14
        assert message.strip().endswith("--\nJarvis, jarvis.example")
        assert not any(mark in message for mark in ("&#", "&amp;", "{{", "{%", "None", "<"))
        assert "o'hara&co" in message or "a@example.com" in message
    assert english[0] != spanish[0]
    same = set(english[1].splitlines()) & set(spanish[1].splitlines())
    assert not any(line for line in same if "https://" not in line and line not in ("", "--", "Jarvis, jarvis.example"))


def test_a_reset_is_mailed_in_the_language_that_its_reader_chose(client, alice, mail, mailoutbox):
    Preferences.objects.create(user=alice, language="es")
    client.post("/reset/", {"email": "alice@example.com"}, headers={"accept-language": "en"})
    (sent,) = mailoutbox
    assert sent.subject == "Jarvis: pon una contraseña nueva"
    assert "la cuenta alice de testserver" in sent.body
    assert "http://testserver/reset/" in sent.body
    assert not sent.alternatives


def test_who_has_no_account_is_told_in_the_language_that_was_asked_in(client, mail, mailoutbox):
    client.post("/reset/", {"email": "nobody@example.com"}, headers={"accept-language": "es"})
    (sent,) = mailoutbox
    assert (sent.to, sent.subject) == (["nobody@example.com"], "Jarvis: ninguna cuenta tiene este correo")
    assert "Ninguna cuenta lo tiene" in sent.body


def test_a_new_address_is_asked_to_be_confirmed_and_the_old_one_told(client, alice, mail, mailoutbox):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    sign_in(client, "alice")
    client.post("/sign-in/again/", {"password": PASSWORD})
    client.post("/settings/email/", {"email": "new@example.com", "action_add": ""})
    assert mailoutbox[0].subject == "Jarvis: confirm your address"
    link = next(word for word in mailoutbox[0].body.split() if "/confirm-email/" in word)
    assert "The account alice at testserver has been given this address." in mailoutbox[0].body
    client.post(link.removeprefix("http://testserver"))
    mail = mailoutbox[-1]
    assert mail.to == ["alice@example.com"]
    assert mail.subject == "Jarvis: The e-mail address was changed from alice@example.com to new@example.com"


def test_its_owner_is_told_of_a_change_when_from_where_and_what_to_do(client, alice, mail, mailoutbox):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    sign_in(client, "alice")
    new = {"oldpassword": PASSWORD, "password1": "another long word", "password2": "another long word"}
    client.post("/settings/password/", new, headers={"user-agent": FIREFOX})
    (sent,) = mailoutbox
    assert sent.subject == "Jarvis: The password was changed"
    lines = sent.body.splitlines()
    assert lines[0] == "The password was changed"
    assert lines[2] == "Account: alice"
    assert lines[3].startswith("When: ")
    assert lines[3].endswith(" UTC")
    assert lines[4] == "From: 127.0.0.1, Firefox, Linux"
    assert lines[-4] == "http://testserver/reset/"


@pytest.mark.django_db(transaction=True)  # allauth sends it once the change is committed
def test_its_owner_is_told_of_a_second_factor(client, alice, mail, mailoutbox):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    sign_in(client, "alice")
    client.post("/sign-in/again/", {"password": PASSWORD})
    secret = client.get("/settings/two-factor/").context["form"].secret
    client.post("/settings/two-factor/", {"code": code_of(secret)}, headers={"accept-language": "es"})
    assert mailoutbox[0].subject == "Jarvis: Se activó la entrada en dos pasos"
    assert "Cuenta: alice\nCuándo: " in mailoutbox[0].body
