"""Limits on JSON schemas, checked before a grammar compiler sees them.

A compiler turns a schema into a grammar as large as what the schema counts up to, and a pattern into an automaton;
either has taken engines down (CVE-2025-48944).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jarvis.lib.api_errors import ApiError, invalid_request

MAX_DEPTH = 32
MAX_NODES = 5_000
MAX_CHOICES = 1_000
MAX_ITEMS = 1_000
MAX_LENGTH_KEYWORD = 10_000
MAX_PATTERN_CHARS = 512
MAX_DEFINITION_DEPTH = 100  # of a schema that is only read
MAX_REPEAT = 128  # beyond it xgrammar fails on the whole request

MAPS = frozenset(("properties", "$defs", "definitions", "patternProperties", "dependentSchemas"))
LISTS = frozenset(("anyOf", "allOf", "oneOf", "prefixItems"))
SINGLE = frozenset(
    [
        "items",
        "additionalProperties",
        "additionalItems",
        "contains",
        "not",
        "if",
        "then",
        "else",
        "propertyNames",
        "unevaluatedProperties",
        "unevaluatedItems",
    ]
)
COUNTS = {
    "minItems": MAX_ITEMS,
    "maxItems": MAX_ITEMS,
    "minLength": MAX_LENGTH_KEYWORD,
    "maxLength": MAX_LENGTH_KEYWORD,
}
COUNTS |= {"minProperties": MAX_ITEMS, "maxProperties": MAX_ITEMS, "minContains": MAX_ITEMS, "maxContains": MAX_ITEMS}
REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")  # the beginning of an address
NESTED = re.compile(r"[*+}]\)*\)[*+{]")


def check_schema(schema: Mapping[str, Any], param: str) -> None:
    """Raise ApiError (400) for a schema beyond the limits; `param` names where it was sent."""
    SchemaChecker(param, schema).check_schema(schema, 0)


def check_definition(schema: Mapping[str, Any], param: str) -> None:
    """Raise ApiError (400) for a schema that no engine could read, though none makes a grammar of it.

    Models are shown it as it is, so it may count, match and refer as it likes, but not to somewhere else.
    """
    level: list[Any] = [schema]
    depth = 0
    while level:
        if (depth := depth + 1) > MAX_DEFINITION_DEPTH:
            text = f"`{param}` is nested more than {MAX_DEFINITION_DEPTH} deep. Use a flatter one."
            raise invalid_request(text, param)
        for value in level:
            if isinstance(value, Mapping) and isinstance(ref := value.get("$ref"), str) and REMOTE.match(ref):
                raise invalid_request(f"`{param}` may only point into itself with `$ref`, as in #/$defs/name.", param)
        level = [inner for value in level for inner in list_inner(value)]


def list_inner(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def resolve_pointer(root: Any, pointer: str) -> Any:
    """What a JSON pointer such as `#/$defs/name` leads to; None where that is nothing."""
    for part in pointer.split("/")[1:]:
        root = root.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(root, Mapping) else None
    return root


class SchemaChecker:
    def __init__(self, param: str, root: Mapping[str, Any]) -> None:
        self.param = param
        self.root = root
        self.nodes = 0

    def refuse(self, message: str) -> ApiError:
        return invalid_request(f"The JSON schema in `{self.param}` {message}", self.param)

    def count_node(self, depth: int) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.refuse(f"has more than {MAX_NODES} parts. Use a smaller one.")
        if depth > MAX_DEPTH:
            raise self.refuse(f"is nested more than {MAX_DEPTH} deep. Use a flatter one.")

    def check_schema(self, schema: Any, depth: int) -> None:
        self.count_node(depth)
        if isinstance(schema, bool):
            return
        if not isinstance(schema, Mapping):
            raise self.refuse("has something other than an object where a schema belongs.")
        if "minItems" in schema and "items" not in schema and not {"prefixItems", "$ref"} & schema.keys():
            raise self.refuse("has `minItems` without `items`. Say of what kind the items are.")
        for name, value in schema.items():
            self.check_keyword(name, value, depth + 1)

    def check_keyword(self, name: str, value: Any, depth: int) -> None:
        if name in MAPS:
            if not isinstance(value, Mapping):
                raise self.refuse(f"needs an object in `{name}`.")
            for key, inner in value.items():
                if name == "patternProperties":
                    self.check_pattern(key)
                self.check_schema(inner, depth)
        elif name in LISTS or (name == "items" and isinstance(value, list)):
            if not isinstance(value, list):
                raise self.refuse(f"needs a list in `{name}`.")
            for inner in value:
                self.check_schema(inner, depth)
        elif name in SINGLE:
            self.check_schema(value, depth)
        elif name == "pattern":
            self.check_pattern(value)
        elif name in COUNTS:
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= COUNTS[name]:
                raise self.refuse(f"needs a whole number from 0 to {COUNTS[name]} in `{name}`.")
        elif name in ("$ref", "$dynamicRef"):
            if not isinstance(value, str) or not value.startswith("#"):
                raise self.refuse(f"may only point into itself with `{name}`, as in #/$defs/name.")
            self.check_reference(value)
        else:
            self.check_data(value, depth)

    def check_reference(self, pointer: str) -> None:
        """Refuse a reference that leads to nothing but references, round and round."""
        seen: set[str] = set()
        while isinstance(target := resolve_pointer(self.root, pointer), Mapping):
            seen.add(pointer)
            pointer = target.get("$ref", "")
            if not isinstance(pointer, str) or not pointer.startswith("#"):
                return
            if pointer in seen:
                raise self.refuse("has a `$ref` that leads back to itself. Point it at a schema.")

    def check_data(self, value: Any, depth: int) -> None:
        """Values that are no schemas: `enum`, `const`, `default`, `required`, titles."""
        self.count_node(depth)
        if isinstance(value, Mapping):
            for inner in value.values():
                self.check_data(inner, depth + 1)
        elif isinstance(value, list):
            if len(value) > MAX_CHOICES:
                raise self.refuse(f"has a list of more than {MAX_CHOICES} values. Use fewer.")
            for inner in value:
                self.check_data(inner, depth + 1)

    def check_pattern(self, pattern: Any) -> None:
        if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN_CHARS:
            raise self.refuse(f"needs a string of at most {MAX_PATTERN_CHARS} characters as a pattern.")
        counts = [int(number) for found in REPEAT.findall(pattern) for number in found if number and len(number) < 10]
        if sum(counts) > MAX_REPEAT or re.search(r"\{\d*,?\d{10,}", pattern):
            raise self.refuse(f"has a pattern that repeats more than {MAX_REPEAT} times. Use `maxLength`, or fewer.")
        if NESTED.search(pattern):
            raise self.refuse("has a pattern with a repetition inside a repetition. Write it without.")
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError):
            raise self.refuse("has a pattern that is no valid regular expression.") from None
