"""Reading many rows."""

import pytest
from django.contrib.auth.models import User
from django.db import connection

from jarvis.lib.database import read_in_pages


@pytest.mark.django_db(transaction=True)
def test_rows_are_read_in_pages_each_from_any_connection(django_assert_num_queries):
    User.objects.bulk_create(User(username=f"user{n:02}") for n in range(25))
    rows = User.objects.order_by("-username")
    read = read_in_pages(rows, size=10)
    names = [next(read).username for _ in range(3)]
    connection.close()  # a pooler may lend another one for each transaction
    User.objects.filter(username="user01").delete()
    names += [user.username for user in read]
    assert names == [f"user{n:02}" for n in reversed(range(25)) if n != 1]
    with django_assert_num_queries(4):
        assert len(list(read_in_pages(rows, size=10))) == 24


@pytest.mark.django_db
def test_no_cursor_is_kept_on_the_server():
    assert connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
