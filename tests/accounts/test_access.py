"""What a caller may do: scopes, models and limits of key, account and groups; rotation of keys."""

import asyncio
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.authentication import Unauthenticated, authenticate, authenticate_sync, build_caller, caller_for_key
from accounts.limit_rules import Allowance, strictest_limit
from accounts.models import DEFAULT_SCOPES, ApiKey, GroupLimits, Scope, UserLimits, hash_secret
from jarvis.lib.database import in_database

pytestmark = pytest.mark.django_db

SITE = {"web_rate_limit_requests": 10, "web_rate_limit_address": 120}


@pytest.fixture
def alice():
    return User.objects.create_user("alice")


@pytest.fixture(autouse=True)
def site(configure):
    configure(**SITE)


def group(name, *members, **limits):
    made = Group.objects.create(name=name)
    made.user_set.add(*members)
    GroupLimits.objects.create(group=made, **limits)
    return made


def limits_of(user, key=None):
    caller = build_caller(User.objects.get(pk=user.pk), key)
    return {limit.subject.partition(":")[0]: limit for limit in caller.limits}


# Scopes


def test_a_key_has_the_everyday_scopes_unless_others_were_chosen(alice):
    key, secret = ApiKey.create_with_secret(alice.pk, "script")
    assert caller_for_key(hash_secret(secret)).scopes == set(DEFAULT_SCOPES)
    key.scopes = ["models"]
    key.save()
    caller = caller_for_key(hash_secret(secret))
    assert caller.scopes == {"models"}
    assert caller.has_scope(Scope.MODELS)
    assert not caller.has_scope(Scope.CHAT)


def test_admin_read_is_for_keys_of_staff_and_ends_with_their_being_staff(alice):
    key, secret = ApiKey.create_with_secret(alice.pk, "watch", scopes=["admin-read"])
    with pytest.raises(ValidationError, match="admin-read"):
        key.full_clean()
    assert not caller_for_key(hash_secret(secret)).has_scope(Scope.ADMIN_READ)
    User.objects.update(is_staff=True)
    ApiKey.objects.select_related("owner").get().full_clean()
    assert caller_for_key(hash_secret(secret)).has_scope(Scope.ADMIN_READ)
    User.objects.update(is_staff=False)
    assert not caller_for_key(hash_secret(secret)).has_scope(Scope.ADMIN_READ)


def test_who_is_signed_in_may_do_what_people_do_and_staff_may_read_more(alice):
    assert build_caller(alice).scopes == set(DEFAULT_SCOPES)
    alice.is_staff = True
    assert build_caller(alice).has_scope(Scope.ADMIN_READ)


def test_without_a_key_there_is_no_history_that_all_would_share(configure):
    configure(allow_anonymous=True)
    caller = authenticate_sync({}, "192.0.2.7")
    assert caller.has_scope(Scope.CHAT)
    assert not caller.has_scope(Scope.HISTORY)


# Models


def test_a_model_is_open_where_all_who_name_any_name_it(alice):
    _key, secret = ApiKey.create_with_secret(alice.pk, "script")
    assert caller_for_key(hash_secret(secret)).can_use_model("anything")
    ApiKey.objects.update(allowed_models=["small", "large"])
    group("interns", alice, allowed_models=["small", "tiny"])
    group("everybody", alice)
    caller = caller_for_key(hash_secret(secret))
    assert caller.models == {"small"}
    assert not caller.can_use_model("large")
    UserLimits.objects.create(user=alice, allowed_models=["tiny"])
    assert caller_for_key(hash_secret(secret)).models == set()  # no model at all, not all of them


# Limits


def test_the_sites_figures_hold_for_whom_nobody_says_anything(alice):
    assert limits_of(alice) == {"user": Allowance(subject=f"user:{alice.pk}", requests=10)}


def test_what_is_said_of_key_account_or_group_takes_the_place_of_the_sites(alice):
    key, _ = ApiKey.create_with_secret(alice.pk, "script", requests_per_minute=600)
    assert limits_of(alice, key) == {"key": Allowance(subject=f"key:{key.pk}", requests=600)}
    assert limits_of(alice)["user"].requests == 10  # on the page, nobody says anything
    UserLimits.objects.create(user=alice, requests_per_minute=100)
    assert {name: limit.requests for name, limit in limits_of(alice, key).items()} == {"key": 600, "user": 100}


def test_of_account_and_groups_the_tightest_wins(alice):
    UserLimits.objects.create(user=alice, requests_per_minute=100, parallel=0)
    group("one", alice, requests_per_minute=50, tokens_per_minute=7000)
    group("two", alice, requests_per_minute=0, parallel=4, tokens_per_month=10**12)
    found = limits_of(alice)["user"]
    assert (found.requests, found.tokens, found.parallel, found.budget) == (50, 7000, 4, 10**12)


def test_a_zero_lifts_the_sites_limit(alice):
    UserLimits.objects.create(user=alice, requests_per_minute=0)
    assert limits_of(alice) == {}


def test_a_group_may_share_its_figures(alice):
    made = group("team", alice, shared=True, requests_per_minute=1000)
    assert limits_of(alice) == {"group": Allowance(subject=f"group:{made.pk}", requests=1000)}


def test_the_highest_priority_of_the_groups_holds(alice):
    assert build_caller(alice).priority == 0
    group("slow", alice, priority=-2)
    assert build_caller(alice).priority == -2
    group("fast", alice, priority=3)
    assert build_caller(alice).priority == 3


def test_every_address_has_a_limit_of_its_own_beside_the_callers(alice):
    at = build_caller(alice).with_address
    assert [limit.subject for limit in at("192.0.2.7").limits] == [f"user:{alice.pk}", "address:192.0.2.7"]
    assert at("2001:db8::1").limits[1] == at("2001:db8::2").limits[1]  # one household
    assert len(at("unix").limits) == 1


def test_keys_from_the_environment_are_counted_one_by_one_and_people_without_a_key_by_address(configure):
    configure(api_keys=("one", "two"), allow_anonymous=True, monthly_tokens=500)
    calls = [
        authenticate_sync({"x-api-key": "one"}, "192.0.2.7"),
        authenticate_sync({"x-api-key": "two"}, "192.0.2.7"),
        authenticate_sync({}, "192.0.2.7"),
        authenticate_sync({}, "192.0.2.8"),
    ]
    requests = [next(limit.subject for limit in call.limits if limit.requests) for call in calls]
    assert len(set(requests)) == 4
    budgets = [limit.subject for call in calls for limit in call.limits if limit.budget]
    assert budgets == [f"user:{call.user_id}" for call in calls]  # the ledger knows accounts


@given(st.lists(st.none() | st.integers(0, 100)))
def test_the_tightest_is_never_more_than_anybody_says(values):
    found = strictest_limit(values)
    said = [value for value in values if value is not None]
    assert (found is None) == (not said)
    if found:
        assert found == min(value for value in said if value)
    elif said:
        assert not any(said)


# Rotation


def test_after_a_rotation_both_secrets_open_until_the_time_that_was_chosen(alice):
    key, old = ApiKey.create_with_secret(alice.pk, "script")
    new = key.rotate(timezone.now() + timedelta(hours=1))
    assert new != old
    assert caller_for_key(hash_secret(old)).key_id == caller_for_key(hash_secret(new)).key_id == key.pk
    ApiKey.objects.update(previous_until=timezone.now())
    assert caller_for_key(hash_secret(old)) is None
    assert caller_for_key(hash_secret(new)) is not None


def test_a_rotation_without_overlap_ends_the_old_secret_at_once_and_a_second_one_the_first(alice):
    key, first = ApiKey.create_with_secret(alice.pk, "script")
    second = key.rotate(timezone.now() + timedelta(hours=1))
    third = key.rotate(timezone.now() + timedelta(hours=1))
    assert [caller_for_key(hash_secret(secret)) is not None for secret in (first, second, third)] == [False, True, True]
    fourth = key.rotate()
    assert [caller_for_key(hash_secret(secret)) is not None for secret in (second, third, fourth)] == [
        False,
        False,
        True,
    ]


def test_revoking_closes_both_secrets(alice):
    key, old = ApiKey.create_with_secret(alice.pk, "script")
    new = key.rotate(timezone.now() + timedelta(hours=1))
    key.revoke()
    assert caller_for_key(hash_secret(old)) is caller_for_key(hash_secret(new)) is None


@pytest.mark.alone
@pytest.mark.django_db(transaction=True)
async def test_a_secret_that_was_rotated_away_is_refused_within_a_second(transactional_db):
    alice = await in_database(User.objects.create_user, "alice")
    key, old = await in_database(ApiKey.create_with_secret, alice.pk, "script")
    await authenticate({"x-api-key": old})
    await in_database(key.rotate)
    await asyncio.sleep(1)
    with pytest.raises(Unauthenticated):
        await authenticate({"x-api-key": old})


def test_only_hashes_are_kept(alice):
    key, old = ApiKey.create_with_secret(alice.pk, "script")
    new = key.rotate(timezone.now() + timedelta(hours=1))
    row = ApiKey.objects.filter(pk=key.pk).values().get()
    kept = " ".join(str(value) for value in row.values())
    assert not any(secret in kept or secret[10:] in kept for secret in (old, new))
