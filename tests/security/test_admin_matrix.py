"""Every address of the admin x everybody: only staff comes in, and staff without a right sees and does nothing."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import User

from jarvis.lib.database import in_database
from tests.support.callers import NOBODY, call, key_headers, refused, session_headers
from tests.support.matrix import PUBLIC, VERBS
from tests.support.routes import routes
from tests.support.world import CANARY, MAKERS, everything

pytestmark = pytest.mark.django_db(transaction=True)

ROUTES = [route for route in routes() if route.in_admin and route.path not in PUBLIC]
STAFF = {  # what any member of the staff may open: it shows nothing that they have no right to
    "admin/": "the start, which lists what one has a right to",
    "admin/password_change/": "one's own password",
    "admin/password_change/done/": "one's own password",
    "admin/r/<path:content_type_id>/<path:object_id>/": "leads to an object's page, which asks for itself",
    "admin/<url>": "anything else: 404",
}
OF_MODEL = re.compile(r"admin/(\w+)/(\w+)/")


def model_of(route):
    found = OF_MODEL.match(route.path)
    registered = {(m._meta.app_label, m._meta.model_name): m for m in admin.site._registry}
    return registered.get(found.groups()) if found else None


def test_there_is_an_object_to_try_for_every_model_of_the_admin():
    assert not admin.site._registry.keys() - MAKERS.keys(), "Write a maker in tests/support/world.py."


@pytest.fixture
async def urls(cast):
    """Every address of the admin, with an object of alice's where it takes one."""

    def make():
        made = {model: MAKERS[model](cast.alice) for model in admin.site._registry}
        for route in ROUTES:
            model = model_of(route)
            id = made[model].pk if model else 1
            yield route, route.url(dict.fromkeys(route.parameters, id))

    return await in_database(lambda: list(make()))


async def test_only_staff_comes_in(http, cast, urls):
    """Case: demoted or never promoted; a key of an administrator opens no page either."""
    strangers = [NOBODY, await in_database(session_headers, cast.bob), await in_database(key_headers, cast.carol)]
    before = await in_database(everything)
    for _, url in urls:
        for verb in VERBS:
            for headers in strangers:
                response = await call(http, verb, url, headers, {})
                leads_on = response.status_code in (301, 302) and CANARY not in response.text
                assert leads_on or refused(response, api=False) or response.status_code in (404, 405), (verb, url)
                assert CANARY not in response.text
    assert await in_database(everything) == before


async def test_staff_without_a_right_sees_and_does_nothing(http, cast, urls):
    headers = await in_database(session_headers, cast.clerk)
    before = await in_database(everything)
    for route, url in urls:
        for verb in ("GET", "POST", "DELETE"):
            response = await call(http, verb, url, headers, {})
            if route.path not in STAFF:
                assert response.status_code in (301, 302, 403, 404, 405), (verb, url, response.status_code)
            assert response.status_code != 500, (verb, url)
            assert CANARY not in response.text, (verb, url)
    assert await in_database(everything) == before


async def test_an_administrator_sees_every_page(http, cast, urls):
    """Without this the others might be refused for another reason."""
    headers = await in_database(session_headers, cast.carol)
    for route, url in urls:
        if route.path.endswith(("/change/", "/history/", "model>/")) or not route.parameters:
            response = await call(http, "GET", url, headers)
            closed = response.status_code == 403 and url.endswith(("/add/", "/autocomplete/"))  # for everybody
            assert closed or response.status_code in (200, 302, 405), (url, response.status_code)


async def test_the_admin_shows_nothing_of_what_was_said(http, cast, urls):
    """An administrator manages accounts, keys and models; what people say to Jarvis is not theirs to read there."""
    headers = await in_database(session_headers, cast.carol)
    telling = [
        url
        for route, url in urls
        if model_of(route) and model_of(route).__name__ in ("Conversation", "Message", "Generation")
    ]
    assert telling
    for url in telling:
        response = await call(http, "GET", url, headers)
        assert CANARY not in response.text, url


async def test_whoever_is_staff_no_longer_is_out_at_once(http, cast, urls):
    """CVE-2026-44553: a demoted administrator kept the rights of the session that was open."""
    headers = await in_database(session_headers, cast.carol)
    assert (await http.get("/admin/accounts/apikey/", headers=headers)).status_code == 200
    await in_database(lambda: User.objects.filter(pk=cast.carol.pk).update(is_superuser=False))
    assert (await http.get("/admin/accounts/apikey/", headers=headers)).status_code == 403
    await in_database(lambda: User.objects.filter(pk=cast.carol.pk).update(is_staff=False))
    assert (await http.get("/admin/", headers=headers)).status_code == 302
    assert (await http.get("/", headers=headers)).status_code == 200
    await in_database(lambda: User.objects.filter(pk=cast.carol.pk).update(is_active=False))
    assert (await http.get("/", headers=headers)).status_code == 302
