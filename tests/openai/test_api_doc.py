"""docs/api.md says of each field what the code does with it."""

import inspect
import json
import re

import msgspec
import pytest

from inference.openai import answer_form, json_schema
from inference.openai.fields import ACCEPTED_FIELDS, IGNORED_FIELDS, REFUSED_FIELDS
from inference.openai.request import check_chat_request
from inference.openai.schemas import Fields, StreamOptions, StructuredOutputs, TemplateArguments
from inference.openai.validation import RequestLimits
from jarvis.lib import api_errors
from jarvis.lib.config import BASE

SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", (BASE / "docs" / "api.md").read_text(), re.M | re.S))
ROW = re.compile(r"^\| `(\w+)` \| (.*) \| (.*) \| `(.*)` \|$", re.M)
ROWS = {name: (what, values, example) for name, what, values, example in ROW.findall(SECTIONS["Fields"])}
LIMITS = {
    "messages": ("messages", "characters"),
    "n": ("n",),
    "stop": ("stops", "stop_length"),
    "logit_bias": ("biases",),
    "top_logprobs": ("top_logprobs",),
    "tools": ("tools", "tool_bytes"),
    "response_format": ("schema_bytes",),
    "metadata": ("metadata",),
}


def list_names(section):
    return set(re.findall(r"`(\w+)`", section))


def test_each_field_is_where_it_belongs():
    assert ROWS.keys() == ACCEPTED_FIELDS
    assert list_names(SECTIONS["Passed over"]) == IGNORED_FIELDS
    names = re.findall(r"^\| .* \| (.*) \|$", SECTIONS["Refused"], re.M)
    assert list_names(" ".join(names)) == REFUSED_FIELDS.keys()


@pytest.mark.parametrize("name", sorted(ROWS))
def test_an_example_is_taken(name):
    value = json.loads(ROWS[name][2])
    needs = {"top_logprobs": {"logprobs": True}, "stream_options": {"stream": True}, "tool_choice": {"tools": []}}
    sound = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    check_chat_request(sound | needs.get(name, {}) | {name: value})


def number_bounds():
    for field in msgspec.inspect.type_info(Fields).fields:
        kinds = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else [field.type]
        for kind in kinds:
            if not isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType) or None in (kind.ge, kind.le):
                continue
            if kind.le < 2**40:
                yield field.name, f"{kind.ge:,} to {kind.le:,}"


def test_ranges_are_those_of_the_code():
    bounds = dict(number_bounds())
    assert len(bounds) >= 7
    assert {name: text for name, text in bounds.items() if not ROWS[name][1].startswith(text)} == {}


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_caps_are_those_of_the_code(name):
    for limit in LIMITS[name]:
        assert f"{getattr(RequestLimits(), limit):,}" in ROWS[name][1]


def test_the_names_inside_of_fields_are_those_of_the_code():
    inside = {"stream_options": StreamOptions, "structured_outputs": StructuredOutputs}
    for name, shape in (inside | {"chat_template_kwargs": TemplateArguments}).items():
        assert set(shape.__struct_fields__) <= list_names(ROWS[name][0]), name


def test_the_limits_of_grammars_are_those_of_the_code():
    text = " ".join(SECTIONS["Messages"].split())
    for words in (
        f"{json_schema.MAX_DEPTH} levels",
        f"{json_schema.MAX_NODES:,} parts",
        f"{json_schema.MAX_CHOICES:,} choices and items",
        f"lengths up to {json_schema.MAX_LENGTH_KEYWORD:,}",
        f"patterns of {json_schema.MAX_PATTERN_CHARS} characters",
    ):
        assert words in text
    assert f"up to {answer_form.MAX_CHOICES:,} texts" in ROWS["guided_choice"][1]


def test_each_code_word_is_listed_with_its_status():
    source = inspect.getsource(api_errors)
    made = set(re.findall(r'make_error\(\s*(\d{3}), "(\w+)"', source)) | {("502", "engine_error")}
    rows = re.findall(r"^\| ([\d, ]+) \| (.*) \|$", SECTIONS["Errors"], re.M)
    listed = {(status, code) for numbers, codes in rows for status in numbers.split(", ") for code in list_names(codes)}
    assert {*made, ("400", "invalid_request_error")} <= listed
    assert len(made) > 12
