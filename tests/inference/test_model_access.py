"""Who may use a model, on its page in the admin: all lists are shown, groups' lists are changed, none is emptied."""

import pytest
from django.contrib.auth.models import Group

from accounts.audit import AuditEvent
from accounts.authentication import build_caller
from accounts.models import ApiKey, GroupLimits, UserLimits
from inference.models import LanguageModel
from tests.support.admin import alice, bob, carol, files

__all__ = ["alice", "bob", "carol", "files"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def model():
    return LanguageModel.objects.create(name="large", source="x")


@pytest.fixture
def support():
    return limits("Support", "large", "small")


@pytest.fixture
def sales():
    return limits("Sales", "small")


def limits(name, *models):
    return GroupLimits.objects.create(group=Group.objects.create(name=name), allowed_models=list(models))


def address(model):
    return f"/admin/inference/languagemodel/{model.pk}/change/"


def send(client, model, ticked, shown, **fields):
    """The form as a browser sends it: what is ticked now, and what was when the page was shown."""
    data = {"name": model.name, "source": "x", "kind": "local", "enabled": "on", "engine_args": "", "max_model_len": 0}
    lists = {"group_lists": [row.pk for row in ticked], "initial-group_lists": [row.pk for row in shown]}
    return client.post(address(model), data | lists | fields)


def models_of(*rows):
    return [GroupLimits.objects.get(pk=row.pk).allowed_models for row in rows]


def part(text, name):
    """What the page shows beside a row's name."""
    return text.split(f"field-{name}")[1].split("form-row")[0]


def test_the_page_shows_every_list_that_concerns_the_model(client, carol, alice, model, support, sales):
    free = Group.objects.create(name="Friends")
    UserLimits.objects.create(user=alice, allowed_models=["large"])
    UserLimits.objects.create(user=carol, allowed_models=["small"])
    ApiKey.create_with_secret(alice.pk, "nightly", allowed_models=["large"])
    ApiKey.create_with_secret(alice.pk, "weekly", allowed_models=["small"])
    ApiKey.create_with_secret(alice.pk, "unlimited")
    ApiKey.create_with_secret(alice.pk, "gone", allowed_models=["large"])[0].revoke()
    text = client.get(address(model)).content.decode()
    assert f'value="{support.pk}" id="id_group_lists_1" checked' in text
    assert f'value="{sales.pk}" id="id_group_lists_0">' in text
    assert "Support (large, small)" in text
    assert f"grouplimits/add/?group={free.pk}" in part(text, "free_groups")
    for name, with_, without in (
        ("named_by_accounts", "alice", "carol"),
        ("not_named_by_accounts", "carol", "alice"),
        ("named_by_keys", "nightly (alice)", "weekly"),
        ("not_named_by_keys", "weekly (alice)", "nightly"),
    ):
        assert with_ in part(text, name)
        assert without not in part(text, name)
        assert "unlimited" not in part(text, name)
        assert "gone" not in part(text, name)


def test_a_group_is_named_and_unnamed_and_its_members_see_it(client, carol, alice, model, support, sales):
    alice.groups.add(sales.group)
    assert not build_caller(alice).can_use_model("large")
    assert send(client, model, [sales], [support]).status_code == 302
    assert models_of(support, sales) == [["small"], ["small", "large"]]
    assert build_caller(alice).can_use_model("large")
    told = AuditEvent.objects.filter(event="limits.changed", actor=carol)
    assert sorted(event.details["group"] for event in told) == ["Sales", "Support"]


def test_a_list_is_never_emptied_since_that_would_open_everything(client, carol, model, support):
    only = limits("Only", "large")
    response = send(client, model, [support], [only, support], price_input="1")
    assert "Only would name no model, and so might use all" in response.content.decode()
    assert models_of(only) == [["large"]]
    model.refresh_from_db()
    assert model.price_input is None


def test_what_somebody_else_changed_meanwhile_stays(client, carol, model, support, sales):
    """Carol's page was open when the model was named for Sales; she changes a price and saves."""
    GroupLimits.objects.filter(pk=sales.pk).update(allowed_models=["small", "large"])
    assert send(client, model, [support], [support], price_input="1").status_code == 302
    assert models_of(support, sales) == [["large", "small"], ["small", "large"]]
    model.refresh_from_db()
    assert model.price_input == 1


def test_who_may_change_models_but_no_limits_sees_the_lists_and_changes_none(client, bob, model, support, sales):
    bob("change_languagemodel", "view_languagemodel", "view_grouplimits", "view_userlimits", "view_apikey")
    text = client.get(address(model)).content.decode()
    assert "Support" in part(text, "named_by_groups")
    assert "id_group_lists" not in text
    assert send(client, model, [sales], [support], price_input="2").status_code == 302
    assert models_of(support, sales) == [["large", "small"], ["small"]]
    bob("change_languagemodel", "view_languagemodel")
    assert "Support" not in client.get(address(model)).content.decode()


def test_names_of_groups_cannot_become_markup_and_long_lists_are_counted(client, carol, alice, model):
    limits("<script>alert(1)</script>", "large")
    Group.objects.create(name="<script>alert(2)</script>")
    for number in range(35):
        ApiKey.create_with_secret(alice.pk, f"key {number}", allowed_models=["large"])
    text = client.get(address(model)).content.decode()
    assert "<script>alert" not in text
    assert "and 5 more" in part(text, "named_by_keys")


def test_the_page_costs_the_same_however_many_lists_there_are(
    client, carol, alice, model, django_assert_max_num_queries
):
    def fill(count):
        for number in range(count):
            limits(f"group {count} {number}", "large")
            Group.objects.create(name=f"free {count} {number}")
            ApiKey.create_with_secret(alice.pk, "x", allowed_models=["large"])

    fill(2)
    client.get(address(model))
    for more in (0, 30):
        fill(more)
        with django_assert_max_num_queries(22):
            client.get(address(model))
