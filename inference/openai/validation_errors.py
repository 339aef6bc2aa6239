"""What is wrong with a request, in words for people, with the parameter in OpenAI's way of writing it."""

import re

from inference.openai.fields import REFUSED_FIELDS
from inference.openai.strict_json import printable
from jarvis.lib.api_errors import ApiError, invalid_request

FAULT = re.compile(r"(?s)(.*?)(?: - at `(?:key in )?\$?\.?(.*)`)?")
MISSING = re.compile(r"Object missing required field `(.*)`")
UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
PART = re.compile(r"messages\[\d+\]\.content(\[.*)?")
TYPES = {
    "float": "number",
    "int": "whole number",
    "str": "text",
    "bool": "true or false",
    "array": "list",
    "object": "object",
    "null": "null",
}
NAMED_TYPES = re.compile(r"`((?:\w+ \| )*\w+)`")
SPEAKER = "may not hold blanks, control characters or any of < | \\ / >"
FUNCTION_NAME = "may hold letters, digits and _ - . : / only, at least one of them"


def refuse_field(name: str) -> ApiError:
    shown = printable(name[:100])
    if reason := REFUSED_FIELDS.get(name):
        return invalid_request(f"`{shown}` is not accepted. {reason}", shown)
    return invalid_request(f"Unknown parameter `{shown}`. Remove it.", shown)


def explain_validation_error(message: str) -> ApiError:
    """A validation error of msgspec in words for people, with the parameter in OpenAI's way of writing it."""
    found = FAULT.fullmatch(message)
    text, path = (found[1], found[2] or "") if found else (message, "")
    if missing := MISSING.fullmatch(text):
        param = f"{path}.{missing[1]}".lstrip(".")
        return invalid_request(f"`{param}` is missing. Add it.", param)
    if unknown := UNKNOWN.fullmatch(text):
        param = f"{path}.{printable(unknown[1][:100])}".lstrip(".")
        return invalid_request(f"Unknown parameter `{param}`. Remove it.", param)
    if PART.fullmatch(path.removesuffix(".type")) and text.startswith("Invalid value"):
        param = path.removesuffix(".type")
        advice = "Only parts of type `text` are accepted: no images, audio, video, files or addresses of such."
        return invalid_request(f"`{param}` is not accepted. {advice}", param)
    if path.startswith("messages[") and path.endswith(".role"):
        return invalid_request(f"`{path}` must be system, developer, user, assistant or tool.", path)
    if "matching regex" in text:
        rule = FUNCTION_NAME if path.endswith("function.name") else SPEAKER
        return invalid_request(f"`{path}` {rule}. Change it, or leave it out.", path)
    text = NAMED_TYPES.sub(name_types, text)
    return invalid_request(f"`{path}` is wrong: {text[0].lower()}{text[1:]}.", path)


def name_types(found: re.Match[str]) -> str:
    """Types in words; null goes without saying where something else is possible."""
    names = found[1].split(" | ")
    words = [TYPES.get(name, f"`{name}`") for name in names if name != "null" or len(names) == 1]
    return " or ".join(words)
