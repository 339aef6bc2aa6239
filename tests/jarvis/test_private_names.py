"""One test for each private name that Jarvis uses: where it fails after an upgrade, its text says what to look at."""

import re

import pytest
from allauth.account.models import Login
from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.test import RequestFactory
from drf_spectacular.openapi import AutoSchema
from rest_framework.request import Request

from jarvis.lib.config import BASE
from jarvis.lib.private_names import close_resources, django_request, second_factor_account

OURS = ("accounts", "chat", "inference", "jarvis")
INTERNAL = re.compile(r"^\s*(?:from|import) \S*(?:\.internal\b|\._)|\b_resource_closers\b|\._request\b", re.MULTILINE)


def test_allauth_keeps_a_sign_in_that_waits_for_a_second_factor_in_the_session(client, django_user_model, db):
    alice = django_user_model.objects.create_user("alice")
    session = client.session
    session["account_login"] = Login(user=alice).serialize()
    request = RequestFactory().get("/")
    request.session = session
    assert int(second_factor_account(request), 36) == alice.pk, (
        "allauth stores a pending sign-in in another way: look at allauth.account.internal.stagekit.stash_login "
        "and at Login.serialize, and mend jarvis.lib.private_names.second_factor_account (the limit on second factors)"
    )


def test_django_keeps_what_a_response_has_to_close_in_a_list(db):
    closed = []
    response = HttpResponse()
    response._resource_closers.append(lambda: closed.append(True))
    close_resources(response)
    assert closed == [True]
    closed.clear()
    response.close()
    assert closed == [True], "HttpResponse.close has another list: mend jarvis.lib.private_names.close_resources"


def test_rest_framework_wraps_the_request_of_django():
    request = RequestFactory().get("/")
    assert django_request(Request(request)) is request, "look for the wrapped request in rest_framework.request.Request"


@pytest.mark.parametrize("name", ["_origin_verified", "_check_referer", "_reject", "_get_secret", "_check_token"])
def test_django_has_the_methods_that_our_check_of_forms_replaces_or_relies_on(name):
    assert callable(getattr(CsrfViewMiddleware, name, None)), (
        f"CsrfViewMiddleware.{name} is gone: look at accounts.csrf"
    )


@pytest.mark.parametrize("name", ["_get_response_bodies", "_get_response_for_code", "_is_list_view", "_get_parameters"])
def test_spectacular_has_the_methods_that_our_schema_builds_on(name):
    assert callable(getattr(AutoSchema, name, None)), f"AutoSchema.{name} is gone: look at jarvis.lib.drf.schema"


def test_no_other_module_of_ours_uses_a_private_name():
    files = [path for app in OURS for path in (BASE / app).rglob("*.py") if path.name != "private_names.py"]
    assert [str(path) for path in files if INTERNAL.search(path.read_text())] == []
