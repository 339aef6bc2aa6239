"""Forms of the admin, filled in by hand: whatever stands in a field, the answer is a form that says so, or 400."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from inference.models import Generation
from jarvis import urls  # noqa: F401  the pages of the admin come with them
from jarvis.web.bad_requests import is_unfit_value
from tests.support.live import static_files
from tests.support.world import MAKERS

pytestmark = pytest.mark.django_db

FIELD = re.compile(r'<(?:input|select|textarea)\b[^>]*\bname="([^"]+)"')
ODD = ["x", "-1", "9" * 30, "\x00", "1e999", "2026-13-45", "é", " ", "[", "x" * 5000]
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture
def carol(client):
    """The administrator; failures of the server are answers here, not exceptions."""
    static_files()
    client.raise_request_exception = False
    carol = User.objects.create_superuser("carol")
    client.force_login(carol)
    return carol


def form_of(client: Client, url):
    """The names of all fields of a page's form, hidden ones included; none where it may not be opened."""
    response = client.get(url)
    assert response.status_code in (200, 403), url
    return sorted({name for name in FIELD.findall(response.content.decode()) if name != "csrfmiddlewaretoken"})


def addresses(model, owner):
    base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    return reverse(f"{base}_add"), reverse(f"{base}_change", args=[MAKERS[model](owner).pk])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_value_of_any_field_makes_a_form_fail(client, carol, model):
    """Among them the fields that complete a name, which look their value up while the page is drawn."""
    for url in addresses(model, User.objects.create_user("alice")):
        names = form_of(client, url)
        tries = [dict.fromkeys(names, odd) for odd in ODD] + [{name: "x"} for name in names]
        for fields in tries if names else ():
            response = client.post(url, fields)
            assert response.status_code in (200, 302, 400, 403), (url, str(fields)[:300], response.status_code)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_value_that_an_address_fills_in_makes_a_form_fail(client, carol, model):
    """Django's admin lets a link fill in the form for something new."""
    url, _ = addresses(model, User.objects.create_user("alice"))
    names = [name.removesuffix("_0") for name in form_of(client, url)]
    tries = [{name: "x"} for name in names] + [dict.fromkeys(names, odd) for odd in (*ODD[1:7], "1,2,x")]
    for query in tries if names else ():
        response = client.get(url, query)
        assert response.status_code in (200, 400, 403), (url, query, response.status_code)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_no_choice_in_a_list_makes_it_fail(client, carol, model):
    MAKERS[model](User.objects.create_user("alice"))
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    actions = ["nothing"] + [
        name for name, _ in admin.site._registry[model].get_action_choices(client.get(url).wsgi_request)
    ]
    for action in actions:
        for chosen in ODD[:5]:
            response = client.post(url, {"action": action, "_selected_action": [chosen, "1"], "index": "0"})
            assert response.status_code in (200, 302, 400, 403), (action, chosen, response.status_code)
        response = client.post(url, {"action": action, "_selected_action": "1", "index": "x", "select_across": "x"})
        assert response.status_code in (200, 302, 400, 403), action


def test_a_fault_of_ours_is_not_taken_for_a_bad_request():
    """The 400 is for values that a model's field has refused, and for nothing else."""
    for fails, refused in (
        (lambda: User.objects.filter(pk="x"), True),
        (lambda: Generation.objects.filter(pk="x"), True),
        (lambda: int("x"), False),
        (lambda: [].index(1), False),
    ):
        with pytest.raises((ValueError, ValidationError)) as caught:
            fails()
        assert is_unfit_value(caught.value) is refused, caught.value
