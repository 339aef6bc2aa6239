import pytest

from jarvis.lib.api_errors import ApiError
from jarvis.lib.query import MAX_ROW_ID, parse_whole_number, query_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("7", 7), ("007", 7), ("200", 200)])
def test_plain_digits_are_a_number(text, number):
    assert parse_whole_number(text, 200) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", " 1", "1_0", "٣", "²", "201", "9" * 5000, "0" * 21])
def test_anything_else_is_none(text):
    assert parse_whole_number(text, 200) is None


def test_an_id_that_no_row_can_have_is_none():
    assert parse_whole_number(str(MAX_ROW_ID), MAX_ROW_ID) == MAX_ROW_ID
    assert parse_whole_number(str(MAX_ROW_ID + 1), MAX_ROW_ID) is None


def test_a_parameter_that_is_left_out_has_its_default():
    assert query_number({}, "limit", default=50, most=200) == 50
    assert query_number({"limit": "3"}, "limit", default=50, most=200) == 3


@pytest.mark.parametrize("text", ["", "x", "201", "-1"])
def test_a_parameter_out_of_its_range_is_refused_by_its_name(text):
    with pytest.raises(ApiError) as refused:
        query_number({"limit": text}, "limit", default=50, most=200)
    error = refused.value
    assert (error.status, error.param, error.message) == (400, "limit", "`limit` must be a whole number from 0 to 200.")
