"""Usage by day: always the ledger's own sums, whatever comes late and whatever is killed."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import ApiKey
from inference.models import Generation, UsageDay
from inference.tasks import forget_old, roll_up

DAY = date(2026, 3, 7)
NOON = datetime(2026, 3, 7, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def key(alice):
    return ApiKey.create_with_secret(alice.pk, "laptop")[0]


def call(owner, at=NOON, **fields):
    given = {"model": "fake", "door": "v1", "request_id": "r", "status": "done", "request": {"messages": ["hello"]}}
    given |= {"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 2, "cost": Decimal("0.000000000001")}
    return Generation.objects.create(owner=owner, finished_at=at, **given | fields)


def sums(**filters):
    return {name: value for name, value in UsageDay.objects.filter(**filters).sum_totals().items() if name != "made_at"}


def test_a_day_is_summed_by_user_key_and_model(alice, bob, key):
    call(alice)
    call(alice, key=key)
    call(alice, key=key, status="stopped")
    call(alice, key=key, model="other", status="failed")
    call(bob)
    assert UsageDay.objects.roll_up(DAY) == 4
    assert sums(user=alice, key=key, model="fake") == {
        "calls": 2, "failed": 0, "stopped": 1, "prompt_tokens": 20, "completion_tokens": 10, "cached_tokens": 4,
        "cost": Decimal("0.000000000002"),
    }  # fmt: skip
    assert sums()["calls"] == 5
    assert sums(model="other")["failed"] == 1


def test_doing_it_again_changes_nothing_and_late_rows_are_added(alice):
    call(alice)
    for _ in range(3):
        UsageDay.objects.roll_up(DAY)
    assert sums()["calls"] == 1
    call(alice, completion_tokens=7)
    UsageDay.objects.roll_up(DAY)
    assert (sums()["calls"], sums()["completion_tokens"]) == (2, 12)


def test_a_call_belongs_to_the_day_on_which_it_ended_in_utc(alice):
    call(alice, at=datetime(2026, 3, 6, 23, 59, 59, 999999, tzinfo=UTC))
    call(alice, at=datetime(2026, 3, 7, tzinfo=UTC))
    call(alice, at=datetime(2026, 3, 8, tzinfo=UTC))
    call(alice, at=None, status="running")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Pacific/Auckland'")  # what the database believes does not matter
    for day in (6, 7, 8):
        UsageDay.objects.roll_up(date(2026, 3, day))
        assert sums(day=date(2026, 3, day))["calls"] == 1
    assert UsageDay.objects.find_stale_days(date(2026, 3, 1)) == []


def test_the_task_makes_those_days_again_that_differ_from_the_ledger(alice):
    now = timezone.now()
    for days in (0, 1, 40):
        call(alice, at=now - timedelta(days=days))
    assert roll_up() == 2
    assert roll_up() == 0
    call(alice, at=now - timedelta(days=1))  # its worker could not reach Postgres for a day
    assert roll_up() == 1
    assert sums()["calls"] == 3
    assert roll_up(days=400) == 1
    assert sums()["calls"] == 4


def test_sums_of_rows_that_are_gone_go_too(alice):
    row = call(alice)
    UsageDay.objects.roll_up(DAY)
    row.delete()
    assert UsageDay.objects.find_stale_days(DAY) == [DAY]
    UsageDay.objects.roll_up(DAY)
    assert not UsageDay.objects.exists()


@pytest.mark.parametrize("with_key", [True, False])
def test_the_database_refuses_to_count_twice(alice, key, with_key):
    call(alice, key=key if with_key else None)
    UsageDay.objects.roll_up(DAY)
    made = UsageDay.objects.get()
    made.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        made.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_a_task_that_is_killed_in_the_middle_leaves_what_was_there(alice):
    call(alice)
    UsageDay.objects.roll_up(DAY)
    call(alice)
    pid = []

    def be_killed():
        """The sums of the day are deleted and made again, and then the connection dies before the commit."""
        try:
            with transaction.atomic():
                UsageDay.objects.roll_up(DAY)
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    pid.append(cursor.fetchone()[0])
                gone.set()
                die.wait(10)
        except Exception:  # noqa: BLE001 - its connection is gone, as it should be
            died.append(True)
        finally:
            connection.close()

    gone, die, died = threading.Event(), threading.Event(), []
    thread = threading.Thread(target=be_killed)
    thread.start()
    assert gone.wait(10)
    assert sums()["calls"] == 1  # nobody sees the half of it
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", pid)
    die.set()
    thread.join(10)
    assert died
    assert sums()["calls"] == 1
    assert UsageDay.objects.find_stale_days(DAY) == [DAY]
    UsageDay.objects.roll_up(DAY)
    assert sums()["calls"] == 2


@pytest.mark.django_db(transaction=True)
def test_tasks_that_run_at_once_count_once(alice):
    for _ in range(5):
        call(alice)
    faults = []

    def run():
        try:
            for _ in range(5):
                UsageDay.objects.roll_up(DAY)
        except Exception as error:  # noqa: BLE001 - told below
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert faults == []
    assert sums()["calls"] == 5


def test_the_content_of_old_calls_goes_and_their_figures_stay(alice, configure, monkeypatch):
    monkeypatch.setattr("inference.tasks.ROWS_PER_TRANSACTION", 2)
    configure(retention_days=30)
    now = timezone.now()
    choices = [{"message": {"content": "a secret"}}]
    old = [call(alice, at=now - timedelta(days=31), text="a secret", choices=choices) for _ in range(5)]
    young = call(alice, at=now - timedelta(days=29), text="a secret")
    running = call(alice, at=None, status="running", created_at=now - timedelta(days=99))
    assert forget_old() == 5
    assert forget_old() == 0
    for row in old:
        row.refresh_from_db()
        assert (row.request, row.text, row.choices) == (None, "", None)
        assert (row.prompt_tokens, row.completion_tokens, row.owner) == (10, 5, alice)
    for row in (young, running):
        row.refresh_from_db()
        assert row.request is not None


def test_what_belongs_to_a_conversation_is_its_owners_to_delete(alice, configure):
    from chat.models import Conversation

    configure(retention_days=1)
    row = call(alice, text="an answer")
    Conversation.objects.create(owner=alice).messages.create(role="assistant", text="an answer", generation=row)
    assert forget_old() == 0
    row.refresh_from_db()
    assert row.text == "an answer"


def test_nothing_is_forgotten_unless_asked_for(alice):
    call(alice, at=timezone.now() - timedelta(days=9999))
    assert forget_old() == 0


def test_usage_is_summed_by_what_one_likes(alice, bob, key):
    call(alice, key=key)
    call(alice, model="other", prompt_tokens=1000)
    call(bob)
    UsageDay.objects.roll_up(DAY)
    models = list(UsageDay.objects.sum_by(["model"]))
    assert [(row["model"], row["sum_calls"], row["sum_prompt_tokens"]) for row in models] == [
        ("fake", 2, 20),
        ("other", 1, 1000),
    ]
    assert [row["user__username"] for row in UsageDay.objects.top("user", 1)] == ["alice"]
    assert UsageDay.objects.between(DAY + timedelta(days=1), DAY + timedelta(days=2)).sum_totals()["calls"] == 0
    assert User.objects.count() == 2
