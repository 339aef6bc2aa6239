"""The admin in Spanish: every list, form and page of it, and every word that a model or a list brings along."""

import re
from html import unescape

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils import translation

from accounts.models import ApiKey, Preferences
from inference.models import Generation
from jarvis import urls  # noqa: F401  the pages of the admin come with them
from tests.support.admin import alice, carol, files
from tests.support.world import MAKERS

__all__ = ["alice", "carol", "files"]

pytestmark = pytest.mark.django_db

OURS = ("accounts", "chat", "inference")
WORDS = r"[^<>\"]*[^\W\d_]{2}[^<>\"]*"
TEXT = re.compile(rf'>({WORDS})<|(?:placeholder|title|aria-label|type="submit" value)="({WORDS})"')
DROPPED = re.compile(r"<(script|style|select|textarea)\b.*?</\1>|<!--.*?-->", re.DOTALL)
SAME = {  # words that are the same in both languages, and what is no word: names, codes, values
    "alice", "bob", "carol", "jarvis", "admin", "chat", "error", "canary-of-alice", "fake", "friends", "limited",
    "general", "editable", "no", "id", "id:", "total", "api", "usd", "tokens", "audit", "tried", "es",
    "unix", "guide", "owner: alice", "user: alice", "group: limited", "error:", "embeddings", "stop",
}  # fmt: skip


def texts(page):
    """What a page says, piece by piece, without what people choose from (names of models and rights)."""
    html = DROPPED.sub("", page)
    found = (unescape(one or other).strip(" \n›").casefold() for one, other in TEXT.findall(html))
    return {text for text in found if text}


def addresses(owner):
    yield from (reverse(f"admin:{page}") for page in ("index", "queue", "workers"))
    for app in {model._meta.app_label for model in admin.site._registry}:
        yield reverse("admin:app_list", args=[app])
    for model in admin.site._registry:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = MAKERS[model](owner)
        yield from (reverse(f"{base}_changelist"), reverse(f"{base}_add"), reverse(f"{base}_change", args=[row.pk]))


def test_no_page_says_anything_in_english(client, carol, alice):
    Generation.objects.create(owner=alice, model="fake", door="v1", request_id="r", status="failed")
    mine = Preferences.objects.create(user=carol, language="en")
    left = {}
    for address in list(addresses(alice)):
        said = []
        for language in ("en", "es"):
            mine.language = language
            mine.save()
            answer = client.get(address)
            assert answer.status_code in (200, 403), address
            said.append(texts(answer.content.decode()))
        same = {text for text in said[0] & said[1] if text not in SAME and not is_name(text)}
        if same:
            left[address] = sorted(same)
    assert not left, "\n".join(f"{address}: {same}" for address, same in left.items())


def is_name(text):
    """Digits, addresses, ids and names that code knows."""
    return bool(re.search(r"\d|^[\w.-]*[_./@…][\w./…-]*$|canary-of-alice", text))


def words(model, page, request):
    """Every word that a model and its page in the admin bring along."""
    yield from (model._meta.verbose_name, model._meta.verbose_name_plural)
    if model._meta.app_label in OURS:
        for field in model._meta.concrete_fields:
            if field.name != "id":
                yield from (field.verbose_name, field.help_text)
            yield from (label for _, label in field.flatchoices)
    for name in [*page.get_list_display(request), *admin.utils.flatten_fieldsets(page.get_fieldsets(request))]:
        yield getattr(getattr(page, name, None), "short_description", None)
    for title, options in page.get_fieldsets(request):
        yield from (title, options.get("description"))
    for _, _, description in page.get_actions(request).values():
        yield description
    yield from getattr(page, "action_buttons", {}).values()
    yield from (one.title for one in page.get_list_filter(request) if hasattr(one, "title"))
    yield page.search_help_text
    for field in page.form.base_fields.values():
        yield from (field.label, field.help_text)
    for part in page.inlines:
        yield from (part.verbose_name, part.verbose_name_plural)
        yield from (words for title, options in part.fieldsets or () for words in (title, options.get("description")))


def say(text, language):
    with translation.override(language):
        return str(text)


def test_every_word_of_models_and_lists_has_its_spanish(rf, carol):
    request = rf.get("/")
    request.user = carol
    found = [
        (model._meta.label, text)
        for model, page in admin.site._registry.items()
        for text in words(model, page, request)
        if text
    ]
    assert len(found) > 200
    left = {
        (label, say(text, "en"))
        for label, text in found
        if say(text, "en") == say(text, "es")
        and say(text, "en").casefold() not in SAME
        and not is_name(say(text, "en"))
    }
    assert not left, "\n".join(map(str, sorted(left)))


def test_figures_and_filters_are_as_a_reader_of_spanish_writes_them(client, carol, alice):
    Preferences.objects.create(user=carol, language="es")
    row = Generation.objects.create(owner=alice, model="fake", door="v1", request_id="r", prompt_tokens=1234567)
    page = client.get("/admin/inference/generation/").content.decode()
    assert "1\u00a0234\u00a0567 / 0" in page
    assert "Ayer" in page
    assert "1\u00a0234\u00a0567" in client.get(f"/admin/inference/generation/{row.pk}/change/").content.decode()
    assert "Por tema" in client.get("/admin/accounts/auditevent/").content.decode()


def test_the_history_of_an_object_is_in_spanish_too(client, carol, alice):
    Preferences.objects.create(user=carol, language="es")
    address = f"/admin/accounts/apikey/{MAKERS[ApiKey](alice).pk}"
    client.post(f"{address}/do/revoke/")
    assert "Revocada." in client.get(f"{address}/history/").content.decode()
