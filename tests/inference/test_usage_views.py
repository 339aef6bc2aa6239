"""The page on which people see what they have used, and its CSV."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import ApiKey
from inference.models import Generation, UsageDay
from jarvis.lib.admin_export import escape_formula
from tests.support.admin import files

__all__ = ["files"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client):
    alice = User.objects.create_user("alice")
    client.force_login(alice)
    return alice


def use(owner, days=0, **fields):
    at = timezone.now() - timedelta(days=days)
    given = {"model": "fake", "door": "v1", "request_id": "r", "status": "done", "finished_at": at}
    Generation.objects.create(owner=owner, prompt_tokens=1000, completion_tokens=234, **given | fields)
    UsageDay.objects.roll_up(at.date())


def text_of(client, query=""):
    response = client.get(f"/usage/{query}")
    assert response.status_code == 200
    return response.content.decode()


def test_one_sees_ones_own_figures_as_charts_and_tables(client, alice):
    key, _ = ApiKey.create_with_secret(alice.pk, "nightly report")
    use(alice, key=key, cost=Decimal("0.5"))
    use(alice, days=3)
    use(User.objects.create_user("bob"), model="bobs-model")
    text = text_of(client)
    for words in ("2,000", "468", "0.50 USD", "nightly report", "without a key", '<svg class="chart"', "<table>"):
        assert words in text
    assert "bob" not in text


def test_the_period_is_chosen(client, alice):
    use(alice, days=60)
    assert "Nothing was used" in text_of(client)
    for odd in ("?days=x", "?days=31", "?days=-1", "?days=" + "9" * 400):
        assert "Nothing was used" in text_of(client, odd)
    assert "1,000" in text_of(client, "?days=90")


def test_names_of_models_and_keys_cannot_become_markup(client, alice):
    nasty = "<script>alert(1)</script>"
    use(alice, model=nasty, key=ApiKey.create_with_secret(alice.pk, nasty)[0])
    assert nasty not in text_of(client)


def test_the_page_costs_the_same_however_much_there_is(client, alice, django_assert_max_num_queries):
    for number in range(25):
        use(alice, days=number, model=f"model{number}", key=ApiKey.create_with_secret(alice.pk, str(number))[0])
    with django_assert_max_num_queries(7):
        text_of(client)


def test_the_csv_has_all_rows_of_ones_own(client, alice):
    use(alice, cost=Decimal("0.5"))
    use(alice, days=3)
    use(User.objects.create_user("bob"))
    response = client.get("/usage/usage.csv")
    assert response["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in response["content-disposition"]
    header, *rows = b"".join(response.streaming_content).decode().splitlines()
    assert header.endswith("cost (USD)")
    assert [row.split(",")[1:3] for row in rows] == [["alice", "fake"]] * 2
    assert rows[1].endswith(",1000,0,234,0.5")


def test_nobody_sees_it_who_is_not_signed_in(client):
    for address in ("/usage/", "/usage/usage.csv"):
        assert client.get(address)["location"].startswith("/sign-in/")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "\r=1", "\n@x"])
def test_no_cell_is_a_formula(text):
    assert escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("value", ["alice", "a=b", "", "1", 5, Decimal("-1")])
def test_other_cells_are_left_alone(value):
    assert escape_formula(value) == value
