"""A password that is lost: by e-mail where there is a mail server, else by a link that an administrator makes."""

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import Permission, User
from django.test import Client

from jarvis.lib.mail import MailServer, parse_mail_url
from tests.support.accounts import mail, sign_in

__all__ = ["mail"]

pytestmark = pytest.mark.django_db

NEW = {"password1": "another long word", "password2": "another long word"}


def set_password(client, link):
    """Open the link and set a new password."""
    return client.post(client.get(link)["location"], NEW)


def link_in(message):
    return next(word for word in message.body.split() if "/reset/" in word).removeprefix("http://testserver")


def test_a_link_by_mail_sets_the_password_once(client, alice, mail, mailoutbox):
    assert client.post("/reset/", {"email": "Alice@example.com"})["location"] == "/reset/sent/"
    assert mailoutbox[0].to == ["alice@example.com"]
    link = link_in(mailoutbox[0])
    assert set_password(Client(), link)["location"] == "/reset/done/"
    assert sign_in(client, "alice", "another long word")["location"] == "/"
    assert "This link was used" in Client().get(link).content.decode()
    assert "password" in mailoutbox[1].body  # its owner hears of it


def test_whether_an_address_is_known_is_not_told(client, alice, mail, mailoutbox):
    answers = [client.post("/reset/", {"email": email}) for email in ("alice@example.com", "nobody@example.com")]
    assert {(answer.status_code, answer["location"]) for answer in answers} == {(302, "/reset/sent/")}
    assert len(mailoutbox) == 2  # and both take as long
    assert "/reset/" not in mailoutbox[1].body.replace("/reset/sent", "")


def test_a_mail_server_that_is_away_is_said_so(client, alice, mail, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    page = client.post("/reset/", {"email": "alice@example.com"}, follow=True).content.decode()
    assert "could not be sent" in page


def test_a_new_address_takes_the_old_ones_place_when_it_is_confirmed(client, alice, mail, mailoutbox):
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)
    sign_in(client, "alice")
    client.post("/sign-in/again/", {"password": "a long enough word"})
    client.post("/settings/email/", {"email": "new@example.com", "action_add": ""})
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    link = next(word for word in mailoutbox[0].body.split() if "/confirm-email/" in word)
    assert mailoutbox[0].to == ["new@example.com"]
    path = link.removeprefix("http://testserver")
    assert "Is new@example.com your address?" in client.get(path).content.decode()
    client.post(path)
    alice.refresh_from_db()
    assert alice.email == "new@example.com"


def test_without_a_mail_server_the_page_says_who_can_help(client, alice, mailoutbox):
    page = client.post("/reset/", {"email": "alice@example.com"})
    assert "Ask an administrator" in page.content.decode()
    assert not mailoutbox


def test_an_administrator_makes_a_link_that_is_shown_once_and_works_once(client, alice, carol):
    client.force_login(carol)
    data = {"action": "make_reset_link", "_selected_action": [alice.pk]}
    response = client.post("/admin/auth/user/", data)
    assert "no-store" in response["cache-control"]
    link = response.context_data["link"].removeprefix("http://testserver")
    assert link not in client.get(f"/admin/auth/user/{alice.pk}/history/").content.decode()
    assert "Made a link" in client.get(f"/admin/auth/user/{alice.pk}/history/").content.decode()
    assert set_password(Client(), link)["location"] == "/reset/done/"
    assert "This link was used" in Client().get(link).content.decode()
    assert sign_in(Client(), "alice", "another long word")["location"] == "/"


def test_a_sign_in_closes_a_link_that_was_not_used(client, alice, carol):
    client.force_login(carol)
    data = {"action": "make_reset_link", "_selected_action": [alice.pk]}
    link = client.post("/admin/auth/user/", data).context_data["link"].removeprefix("http://testserver")
    sign_in(Client(), "alice")
    assert "This link was used" in Client().get(link).content.decode()


def test_a_link_is_for_one_active_account(client, alice, bob, carol):
    client.force_login(carol)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    for chosen in ([alice.pk, bob.pk], [bob.pk]):
        response = client.post(
            "/admin/auth/user/", {"action": "make_reset_link", "_selected_action": chosen}, follow=True
        )
        assert "Choose one account" in response.content.decode()


@pytest.fixture
def staff(client, bob):
    """Bob may change accounts, and is no superuser."""
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user", "delete_user"]))
    client.force_login(bob)
    return bob


def test_who_may_change_accounts_does_not_thereby_become_a_superuser(client, staff, alice, carol):
    page = client.get(f"/admin/auth/user/{staff.pk}/change/").content.decode()
    assert 'name="is_superuser"' not in page
    data = {
        "username": "bob",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [],
        "email": "b@x.de",
    }
    data |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00", "last_login_0": "", "last_login_1": ""}
    client.post(f"/admin/auth/user/{staff.pk}/change/", data)
    staff.refresh_from_db()
    assert (staff.is_superuser, staff.email) == (False, "b@x.de")
    for path in (f"/admin/auth/user/{carol.pk}/password/", f"/admin/auth/user/{carol.pk}/delete/"):
        assert client.post(path, NEW | {"post": "yes", "usable_password": "true"}).status_code == 403
    TOTP.activate(carol, generate_totp_secret())
    for action in ("make_reset_link", "remove_second_factor", "end_sessions", "delete_selected"):
        data = {"action": action, "_selected_action": [carol.pk], "post": "yes"}
        response = client.post("/admin/auth/user/", data)
        forbidden = action == "delete_selected"
        assert (response.status_code, response.get("location")) == (  # and no page with a link
            (403, None) if forbidden else (302, "/admin/auth/user/")
        )
    assert Authenticator.objects.filter(user=carol).exists()
    assert sign_in(Client(), "carol")["location"] == "/sign-in/two-factor/"


def test_an_administrator_removes_a_second_factor_that_was_lost(client, alice, carol):
    TOTP.activate(alice, generate_totp_secret())
    client.force_login(carol)
    client.post("/admin/auth/user/", {"action": "remove_second_factor", "_selected_action": [alice.pk]})
    assert sign_in(Client(), "alice")["location"] == "/"


def test_an_administrator_ends_sessions(client, alice, carol):
    theirs = Client()
    theirs.force_login(alice)
    client.force_login(carol)
    client.post("/admin/auth/user/", {"action": "end_sessions", "_selected_action": [alice.pk]})
    assert theirs.get("/").status_code == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("model", ["mfa/authenticator", "usersessions/usersession", "socialaccount/socialapp"])
def test_what_holds_secrets_is_not_in_the_admin(client, carol, model):
    client.force_login(carol)
    assert client.get(f"/admin/{model}/").status_code == 404


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("mail.example", 587, "", "", "upgraded")),
        (
            "smtps://a%40b.de:p%2Fw@mail.example:4650",
            MailServer("mail.example", 4650, "a@b.de", "p/w", "from the start"),
        ),
        ("smtp+plain://127.0.0.1", MailServer("127.0.0.1", 25, "", "", "none")),
    ],
)
def test_the_address_of_a_mail_server_is_read(url, server):
    assert parse_mail_url(url) == server
