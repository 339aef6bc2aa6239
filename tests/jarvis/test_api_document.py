"""The OpenAPI document: all routes are in it, clients can be made of it, and what it shows is true."""

import asyncio
import re

import httpx
import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIRequestFactory

from accounts.models import ApiKey
from accounts.resources import KeySerializer
from chat.api.serializers import ConversationSerializer
from chat.api.simple import SimpleQuestion
from inference.api.serializers import ModelSerializer
from inference.openai.request import parse_chat_request
from tests.support.gateway import asked, live
from tests.support.live import static_files
from tests.support.routes import routes
from tests.support.workers import alice, fake, held

__all__ = ["alice", "fake", "held", "live"]

pytestmark = pytest.mark.django_db(transaction=True)

REF = "#/components/schemas/"


def read_document(client, secret):
    return client.get("/api/schema/?format=json", headers={"x-api-key": secret}).json()


@pytest.fixture
def document(client, alice):
    return read_document(client, ApiKey.create_with_secret(alice.pk, "test")[1])


def to_json_schema(node):
    """OpenAPI 3.0 as JSON Schema, which knows no `nullable`."""
    if isinstance(node, list):
        return [to_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {name: to_json_schema(value) for name, value in node.items() if name not in ("nullable", "discriminator")}
    if found.get("exclusiveMinimum") is True:
        found["exclusiveMinimum"] = found.pop("minimum")
    return {"anyOf": [found, {"type": "null"}]} if node.get("nullable") is True else found


def check(document, schema, value):
    root = {**to_json_schema(schema), "components": to_json_schema(document["components"])}
    jsonschema.validate(value, root, jsonschema.Draft202012Validator)


def bodies(document):
    """(method, path, media type, what is said of the body) of all requests."""
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            for kind, media in operation.get("requestBody", {}).get("content", {}).items():
                yield verb, path, kind, media


async def allowed_methods(path):
    """What a route of the short stack takes, by its own words."""
    from jarvis.asgi import http

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=http), base_url="http://localhost") as client:
        response = await client.options(path)
    assert response.status_code == 405, path
    return {verb.lower() for verb in response.headers["allow"].split(", ")} - {"head"}


def test_all_routes_are_in_it_with_all_their_methods(document):
    there = {re.sub(r"<(?:\w+:)?(\w+)>", "{}", route.path) for route in routes()}
    there = {re.sub(r"\$$", "", path) for path in there if path.startswith(("api/", "v1/", "health"))}
    there -= {"api/v1/", "api/docs/"}  # what answers 404 to any other address; the page that shows the document
    named = {re.sub(r"\{\w+\}", "{}", path).lstrip("/"): verbs for path, verbs in document["paths"].items()}
    assert set(named) == there
    for path in there:
        if not path.startswith(("api/v1/", "api/schema/", "api/usage")):
            address = "/" + path.replace("{}", "x")
            assert set(named[path]) == asyncio.run(allowed_methods(address)), path


def test_a_client_can_be_made_of_it(document):
    assert document["servers"] == [{"url": "http://testserver"}]
    ids = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    assert len(ids) == len(set(ids))
    schemas = document["components"]["schemas"]
    for name in set(re.findall(rf"{REF}(\w+)", msgspec.json.encode(document).decode())):
        assert name in schemas
    for _, path, kind, media in bodies(document):
        if kind == "application/json":
            name = media["schema"]["$ref"].removeprefix(REF)
            fields = schemas[name]["properties"]
            assert not {"id", "prefix", "owner", "created_at"} & set(schemas[name].get("required", ())), path
            assert not [field for field, said in fields.items() if said.get("readOnly")], path


def test_every_request_has_an_example_that_fits_its_schema(document):
    tried = 0
    for verb, path, kind, media in bodies(document):
        if kind != "application/json":
            continue
        shown = [example["value"] for example in media["examples"].values()]
        assert shown, (verb, path)
        for value in shown:
            check(document, media["schema"], value)
            tried += 1
    assert tried >= 8


def test_every_example_is_taken(document):
    said = {path: media["examples"].values() for _, path, kind, media in bodies(document) if "json" in kind}
    for example in said["/v1/chat/completions"]:
        assert parse_chat_request(msgspec.json.encode(example["value"])).model == "guide"
    for path in ("/api/chat", "/api/chat/stream"):
        for example in said[path]:
            msgspec.convert(example["value"], SimpleQuestion)
    context = {"request": APIRequestFactory().get("/")}
    for path, serializer in [
        ("/api/v1/keys/", KeySerializer),
        ("/api/v1/models/{id}/", ModelSerializer),
        ("/api/v1/conversations/{id}/", ConversationSerializer),
    ]:
        for example in said[path]:
            assert serializer(data=example["value"], partial=True, context=context).is_valid(), path


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 3},
        {"top_k": "many"},
        {"messages": []},
        {"messages": [{"role": "wizard", "content": "x"}]},
        {"stream": "yes"},
        {"tool_choice": "perhaps"},
        {"model": ""},
        {"response_format": {"type": "xml"}},
    ],
)
def test_what_is_refused_does_not_fit_the_schema_either(document, fields):
    schema = document["components"]["schemas"]["ChatCompletionRequest"]
    check(document, schema, asked())
    check(document, schema, asked(temperature=None, stop=["a"], tool_choice="auto", seed=1))
    with pytest.raises(jsonschema.ValidationError):
        check(document, schema, asked(**fields))


async def test_answers_are_as_it_says(live, client):
    from jarvis.lib.database import in_database

    document = await in_database(read_document, client, live.key)
    for verb, path, body in [
        ("post", "/v1/chat/completions", asked()),
        ("post", "/v1/chat/completions", asked(n=2, logprobs=True)),
        ("get", "/v1/models", None),
        ("get", "/v1/models/{model}", None),
        ("post", "/api/chat", {"message": "Hello", "model": "fake"}),
        ("get", "/api/history", None),
        ("get", "/api/status", None),
        ("get", "/health", None),
        ("get", "/health/ready", None),
        ("delete", "/api/history", None),
        ("post", "/v1/chat/completions", {}),
        ("get", "/api/history", {}),
    ]:
        address = path.replace("{model}", "fake")
        async with live.http.request(verb, address, json=body) as response:
            said = document["paths"][path][verb]["responses"][str(response.status)]
            check(document, said["content"]["application/json"]["schema"], await response.json())
    chunk = document["components"]["schemas"]["ChatCompletionChunk"]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    async with live.http.post("/v1/chat/completions", json=asked(**options)) as response:
        events = (await response.text()).split("\n\n")
        for event in events[:-2]:
            check(document, chunk, msgspec.json.decode(event.removeprefix("data: ")))


def test_a_browser_in_which_nobody_is_signed_in_comes_to_the_sign_in(client):
    browser, program = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, {"accept": "*/*"}
    for path in ("/api/docs/", "/api/schema/", "/api/schema/?format=json"):
        response = client.get(path, headers=browser)
        assert (response.status_code, response["location"].startswith("/sign-in/?next=/api/")) == (302, True)
        assert client.get(path, headers=program).status_code == 401
        assert client.get(path, headers=browser | {"x-api-key": "jv_wrong"}).status_code == 401
        assert client.post(path, headers=browser).status_code in (401, 403)
    static_files()
    client.force_login(User.objects.create_user("bob"))
    assert client.get("/api/docs/", headers=browser).status_code == 200
