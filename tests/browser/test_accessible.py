"""axe finds nothing on any page: in light and dark, on a desktop and a phone."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone

from accounts.first_admin import first_admin_link
from accounts.models import ApiKey, Invitation, Preferences
from chat.models import Conversation
from chat.rendering.code import CLASSES
from jarvis.lib.database import in_database
from jarvis.web.csp import POLICY
from tests.support.accessibility import look_over
from tests.support.accounts import PASSWORD
from tests.support.pages import add_session

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.django_db(transaction=True)]


# Django's own pages of the admin, which are not ours to write. Each rule with what it finds there.
ADMIN_IS_DJANGOS = {
    "aria-prohibited-attr": "The icons beside the lists of groups and rights (SelectFilter2.js) are labelled spans.",
}


def create_things(alice):
    """Something of everything that settings list; gives the passkey's number."""
    ApiKey.create_with_secret(alice.pk, "backup script")
    old, _ = ApiKey.create_with_secret(alice.pk, "old laptop", timezone.now() - timedelta(days=1))
    old.revoke()
    Client().force_login(alice)
    TOTP.activate(alice, generate_totp_secret())
    RecoveryCodes.activate(alice)
    passkey = {"name": "Phone", "passwordless": True, "credential": {}}
    return Authenticator.objects.create(user=alice, type="webauthn", data=passkey).pk


async def test_the_door_and_pages_of_errors(visit, site):
    link = await in_database(first_admin_link)
    _, secret = await in_database(Invitation.create_with_secret, None, "for bob")
    page = await visit()
    for status in (400, 401, 403, 404, 405, 410, 429, 503):
        page.expect_complaint(f"status of {status}")
    await look_over(page, {link: 200, "/sign-in/": 200})
    await in_database(User.objects.create_superuser, "carol")
    await look_over(
        page,
        {
            "/sign-in/": 200,
            "/sign-up/": 403,
            f"/join/{secret}/": 410,
            "/reset/": 200,
            "/reset/sent/": 200,
            "/reset/done/": 200,
            "/reset/1-x/": 200,
            "/sign-in/inactive/": 200,
            "/sign-in/cancelled/": 200,
            "/sign-in/failed/": 401,
            "/confirm-email/x/": 200,
            link: 410,
            "/nowhere/": 404,
        },
    )


async def test_pages_of_errors(visit, site):
    """As they are drawn, whichever request they answer."""
    page = await visit()
    page.expect_complaint("the server responded with a status of")
    names = {"400.html": 400, "403.html": 403, "403_csrf.html": 403, "429.html": 429, "500.html": 500, "503.html": 503}
    names |= {"socialaccount/unknown.html": 403, "socialaccount/signup.html": 200, "socialaccount/login.html": 200}
    names |= {"chat/account_deleted.html": 200}
    drawn = {f"/drawn/{name}": render_to_string(name, {"wait": 30, "name": "Team", "sso": "Team"}) for name in names}

    async def answer(route):
        name = urlsplit(route.request.url).path
        policy = {"Content-Security-Policy": POLICY}
        status = names[name.removeprefix("/drawn/")]
        await route.fulfill(status=status, body=drawn[name], content_type="text/html", headers=policy)

    await page.route("**/drawn/**", answer)
    await look_over(page, {f"/drawn/{name}": status for name, status in names.items()})


async def test_settings_and_the_chat(visit, site, alice):
    page = await visit()
    for status in (400, 403, 404, 429, 503):
        page.expect_complaint(f"status of {status}")
    await add_session(page, alice)
    await look_over(page, {"/sign-in/again/": 200})
    await page.goto("/sign-in/again/?next=/settings/")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Go on").click()
    await look_over(page, {"/settings/two-factor/": 200, "/settings/passkeys/add/": 200})
    passkey = await in_database(create_things, alice)
    key = await in_database(ApiKey.objects.usable().get)
    await look_over(
        page,
        {
            "/": 200,
            "/settings/": 200,
            "/settings/appearance/": 200,
            "/settings/chat/": 200,
            "/settings/security/": 200,
            "/settings/sessions/": 200,
            "/settings/keys/": 200,
            "/settings/data/": 200,
            "/settings/data/delete/": 200,
            "/usage/": 200,
            f"/settings/keys/{key.pk}/revoke/": 200,
            "/settings/password/": 200,
            "/settings/email/": 200,
            "/settings/two-factor/off/": 200,
            "/settings/two-factor/codes/": 200,
            "/settings/two-factor/codes/new/": 200,
            f"/settings/passkeys/{passkey}/": 200,
            f"/settings/passkeys/{passkey}/remove/": 200,
            "/settings/connections/": 200,
            "/sign-in/again/code/": 200,
            "/admin/": 403,
        },
    )


async def test_the_admin(visit, site, carol, alice):
    await in_database(create_things, carol)
    page = await visit()
    await add_session(page, carol)
    addresses = [
        "/admin/",
        "/admin/auth/user/",
        "/admin/auth/user/add/",
        f"/admin/auth/user/{alice.pk}/change/",
        "/admin/accounts/apikey/",
        "/admin/accounts/apikey/add/",
        "/admin/accounts/invitation/",
        "/admin/accounts/invitation/add/",
        f"/admin/auth/user/{alice.pk}/history/",
        f"/admin/auth/user/{alice.pk}/delete/",
        f"/admin/auth/user/{alice.pk}/password/",
        "/admin/workers/",
        "/admin/queue/",
        "/admin/inference/generation/",
        "/admin/inference/usageday/",
        "/admin/inference/languagemodel/",
        "/admin/accounts/auditevent/",
        "/admin/chat/conversation/",
    ]
    await look_over(page, dict.fromkeys(addresses, 200), left_out=ADMIN_IS_DJANGOS)


ANSWER = """\
# A heading, `code` in it, and a [link](https://example.com)

Text with **bold**, *italics*, ~~what is struck out~~, `inline code`, a note[^1] and $e^{i\\pi} + 1 = 0$.

> Somebody said this, with `code`, a [link](https://example.com) and $x_1$.

- [x] done
- [ ] to do, and `code`

| Language | Figures | Formula |
| :- | -: | :-: |
| a [link](https://example.com) | 12,345 | $\\frac{1}{2}$ |
| a cell with a good deal of words in it, so that the table is wider than a phone | 2 | `code` |

$$\\int_0^\\infty e^{-x^2} \\, dx = \\frac{\\sqrt{\\pi}}{2} + a + b + c + d + e + f + g + h + i + j + k + l + m + n$$

###### The smallest heading

[^1]: The note, with a [link](https://example.com).

"""
CODE = {
    "python": "@decorated\nclass Answer(Base):  # a comment\n    def text(self, n: int = 42) -> str:\n"
    "        raise ValueError(f'no {n} of them') if None is n else \"words that make this line wider than a phone is\"",
    "javascript": "// a comment\nexport const pages = async (count = 3) => `no ${count} of ${Math.PI}` ?? true;",
    "html": '<!-- a comment --><a href="/x" class="y">text &amp; more</a>',
    "css": "@media print { a:hover { color: #fff; margin: 3px auto !important; } }",
    "sql": "SELECT count(*) FROM people WHERE name LIKE 'a%' AND age > 42 -- a comment",
    "rust": '#[derive(Debug)]\nfn main() -> Result<u8, String> { println!("{}", 0x2A); Ok(1) } // a comment',
    "diff": "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-what was there\n+what is there now\n",
    "console": "$ make run  # a comment\nJarvis is at http://127.0.0.1:8090",
    "json": '{"a": [1, true, null, "text"]}',
    "nonsense": "what nobody knows",
}


def create_rich_answer(owner):
    """Every colour that code can have is in it."""
    blocks = "\n\n".join(f"```{language}\n{code}\n```" for language, code in CODE.items())
    made = Conversation.objects.create(owner=owner, title="Everything")
    made.add_message("user", "Show me everything.")
    made.add_message("assistant", ANSWER + blocks)
    return made, made.create_share()


async def test_an_answer_with_code_tables_and_formulas_in_every_theme(visit, site, alice):
    made, share = await in_database(create_rich_answer, alice)
    page = await visit()
    await add_session(page, alice)
    address = f"/c/{made.pk}/"
    await look_over(page, {address: 200, share.get_absolute_url(): 200})
    shown = await page.locator(".code [class]").evaluate_all("all => all.map(one => one.className)")
    assert set(shown) >= CLASSES
    # Chosen by the reader, whatever the device says: of the two passes one is then against it.
    for theme in ("dark", "light"):
        await in_database(Preferences.objects.update_or_create, user=alice, defaults={"theme": theme})
        await look_over(page, {address: 200})
