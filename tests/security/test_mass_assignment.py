"""Fields that are nobody's to write: ignored or refused by every address, serializer, form and frame.

CVE-2026-47101: a field more in a form made a user an administrator.
"""

import gc
import json

import pytest
from django import forms
from django.apps import apps
from rest_framework import serializers

from chat import frames
from jarvis.lib.database import in_database
from tests.support.callers import key_headers, session_headers
from tests.support.matrix import BODIES, MATRIX, VERBS, Owned
from tests.support.routes import routes
from tests.support.world import OURS, key

pytestmark = pytest.mark.django_db(transaction=True)

# What only the system or an administrator decides, by the names of columns and of those that clients might try.
PRIVILEGED = {
    *("is_staff", "is_superuser", "is_active", "groups", "user_permissions", "owner", "owner_id", "user", "user_id"),
    *("digest", "prefix", "created_by", "created_by_id", "created_at", "revoked_at", "last_used_at", "last_login"),
    *("prompt_tokens", "completion_tokens", "cost", "priority", "pk", "id", "limits", "access", "access_id", "html"),
}
GUARDED = PRIVILEGED - {"last_used_at", "last_login", "is_active", "revoked_at"}  # these change by themselves, too
PACKAGES = ("accounts", "chat", "inference", "jarvis")


def guarded():
    """`{(table, key): values of the columns that are nobody's to write}` for every row there is."""
    found = {}
    for model in apps.get_models():
        if model._meta.app_label in OURS:
            columns = [field.attname for field in model._meta.concrete_fields if field.attname in GUARDED]
            for row in model.objects.values("pk", *columns):
                found[model._meta.label, row["pk"]] = {name: row[name] for name in columns}
    return found


def evil(cast):
    """Every privileged field with the value that an attacker would like."""
    values = {name: True for name in PRIVILEGED if name.startswith("is_")}
    values |= dict.fromkeys(("owner", "owner_id", "user", "user_id", "created_by", "created_by_id"), cast.bob.pk)
    values |= {"digest": "0" * 64, "prefix": "jv_evil", "prompt_tokens": 0, "completion_tokens": 0, "priority": 1000}
    values |= {"groups": [1], "user_permissions": [1], "cost": 0, "pk": 7_777_777, "id": 7_777_777}
    return values | {"created_at": "2001-01-01T00:00:00Z", "revoked_at": None, "html": "<b>evil</b>"}


async def test_no_address_lets_anybody_write_what_is_not_theirs(http, cast):
    """Each address x each verb, as alice, with what the address takes and with every privileged field beside it."""
    headers = [await in_database(session_headers, cast.alice), await in_database(key_headers, cast.alice)]
    more = evil(cast)
    for route in {route.path: route for route in routes()}.values():
        api = route.path.startswith(("api/", "v1/"))
        if route.in_admin or route.path in ("sign-out/",):
            continue
        row = MATRIX.get(route.path)
        for verb in (verb for verb in VERBS if verb in ("POST", "PUT", "PATCH")):
            body = row.bodies.get(verb, {}) if isinstance(row, Owned) else BODIES.get((route.path, verb), {})
            allowed = True
            for door in headers if api else headers[:1]:  # no key opens a page
                for form in (False, True) if api else (True,):
                    if not allowed:
                        continue  # whoever asks, and however
                    values = row.values(await in_database(row.make, cast.alice)) if isinstance(row, Owned) else {}
                    url = route.url({name: values.get(name, 1) for name in route.parameters})
                    before = await in_database(guarded)
                    sent = {"data": {name: str(value) for name, value in (body | more).items()}} if form else {}
                    sent = sent or {"content": json.dumps(body | more).encode()}
                    kind = {} if form else {"content-type": "application/json"}
                    response = await http.request(verb, url, headers=door | kind, **sent)
                    assert response.status_code != 500, (verb, url)
                    allowed = response.status_code != 405
                    after = await in_database(guarded)
                    check(before, after, cast, (verb, url, form))


def check(before, after, cast, about):
    """Rows that were there have what they had; new ones belong to alice, and none is anybody's right."""
    for place, columns in after.items():
        label, pk = place
        if place in before:
            assert columns == before[place], about
        else:
            assert pk != 7_777_777, about
            for name in ("owner_id", "user_id", "created_by_id"):
                assert columns.get(name) in (None, cast.alice.pk), about
            assert not columns.get("is_staff"), about
            assert not columns.get("is_superuser"), about
            assert columns.get("digest") != "0" * 64, about
            assert not (label.endswith("Message") and "evil" in columns.get("html", "")), about


def ours(kinds):
    """Classes of ours among all subclasses, of any depth."""
    found, left = set(), list(kinds)
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind.__module__.split(".")[0] in PACKAGES:
            found.add(kind)
    return sorted(found, key=lambda kind: kind.__qualname__)


def test_no_serializer_takes_a_privileged_field():
    """Of those that can save what they read; the others shape answers or read a query."""
    list(routes())  # imports all that the URL configuration does
    saving = [kind for kind in ours([serializers.ModelSerializer]) if hasattr(kind, "Meta")]
    assert saving
    for kind in saving:
        writable = {name for name, field in kind().fields.items() if not field.read_only}
        assert not writable & PRIVILEGED, (kind, writable & PRIVILEGED)


def test_no_form_of_a_page_takes_a_privileged_field():
    list(routes())
    gc.collect()  # forms that the admin made for other tests
    on_pages = [kind for kind in ours([forms.BaseForm]) if ".admin" not in kind.__module__]
    assert len(on_pages) > 5
    for kind in on_pages:
        assert not set(kind.base_fields) & PRIVILEGED, kind


def test_no_frame_takes_a_field_that_it_does_not_name():
    kinds = frames.FromClient.__subclasses__()
    assert len(kinds) > 5
    for kind in kinds:
        assert kind.__struct_config__.forbid_unknown_fields
        assert not set(kind.__struct_fields__) & PRIVILEGED


def test_an_api_key_cannot_be_made_to_belong_to_another(cast):
    """The check above can fail: a row that changes hands is seen."""
    made = key(cast.alice)
    before = guarded()
    type(made).objects.filter(pk=made.pk).update(owner=cast.bob)
    with pytest.raises(AssertionError):
        check(before, guarded(), cast, "changed")
