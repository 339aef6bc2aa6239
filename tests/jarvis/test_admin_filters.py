"""The lists of the admin take the filters that they show, and no look-up of what they hide."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import RequestFactory

import jarvis.urls  # noqa: F401 - loads the pages of the admin
from accounts.models import ApiKey
from inference.models import Generation
from jarvis.lib.admin_filters import names_field
from tests.support.live import static_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk():
    """Staff who may look at everything, and change nothing."""
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return clerk


@pytest.fixture
def as_clerk(client, clerk):
    static_files()
    client.force_login(clerk)
    return client


def test_no_list_takes_a_look_up_of_a_field_without_a_filter(clerk):
    request = RequestFactory().get("/")
    request.user = clerk
    tried = 0
    for model, page in admin.site._registry.items():
        shown = set(page.filter_names(request)) | {page.date_hierarchy}
        for field in model._meta.get_fields():
            for suffix in ("", "__startswith", "__contains", "__regex", "__gt", "__in", "__exact"):
                allowed = page.lookup_allowed(f"{field.name}{suffix}", "a", request)
                assert not allowed or field.name in shown, (model, field.name, suffix)
                tried += 1
    assert tried > 300


def test_nobody_reads_by_letters_what_a_list_hides(as_clerk, clerk):
    key, _ = ApiKey.create_with_secret(clerk.pk, "x")
    Generation.objects.create(owner=clerk, model="fake", door="v1", request={}, text="a secret")
    for query in [
        f"accounts/apikey/?digest__startswith={key.digest[0]}",
        f"accounts/apikey/?digest={key.digest}",
        "accounts/apikey/?owner__password__startswith=a",
        "inference/generation/?text__contains=secret",
        "inference/generation/?request__messages__icontains=a",
        "inference/generation/?owner__password__startswith=a",
        "inference/generation/?status__regex=d",
        "inference/usageday/?user__email__contains=a",
        "auth/user/?password__startswith=a",
        "auth/user/?email__regex=a",
        "chat/conversation/?title__contains=a",
        "chat/conversation/?messages__text__contains=a",
        "accounts/auditevent/?details__contains=a",
        "accounts/invitation/?digest__startswith=a",
    ]:
        assert as_clerk.get(f"/admin/{query}").status_code == 400, query


def test_the_filters_and_links_that_there_are_go_on(as_clerk, clerk):
    for query in [
        "accounts/apikey/?revoked_at__isnull=True&created_at__gte=2026-01-01 00:00:00%2B00:00",
        "accounts/apikey/?created_at__year=2026&created_at__month=11&created_at__day=28",
        "accounts/auditevent/?about=key.",
        "accounts/grouplimits/?shared__exact=1&priority=0",
        f"inference/generation/?owner__id__exact={clerk.pk}",
        "inference/generation/?status__exact=done&door=v1&model=guide",
        f"inference/usageday/?user__groups__id__exact=1&user__id__exact={clerk.pk}",
        "inference/usageday/?day__gte=2026-01-01&day__lt=2027-01-01",
        "inference/languagemodel/?kind__exact=chat&enabled__exact=1",
        "auth/user/?is_staff__exact=1&groups__id__exact=1&is_active__exact=1",
        "auth/group/?q=a",
        "chat/conversation/?created_at__year=2026",
    ]:
        response = as_clerk.get(f"/admin/{query}")
        assert response.status_code == 200, query


@pytest.mark.parametrize(
    ("lookup", "field", "named"),
    [
        ("status", "status", True),
        ("status__exact", "status", True),
        ("status__in", "status", True),
        ("day__gte", "day", True),
        ("groups__id__exact", "groups", True),
        ("groups__name__startswith", "groups", False),
        ("status__startswith", "status", False),
        ("status__iexact", "status", False),
        ("status_code", "status", False),
        ("text__contains", "status", False),
    ],
)
def test_which_look_ups_are_of_a_filter(lookup, field, named):
    assert names_field(lookup, field) is named
