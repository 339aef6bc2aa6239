"""The frame of the REST resources: who comes in, how errors look, the description of it all."""

import pytest
from django.contrib.auth.models import User

from accounts.models import ApiKey
from tests.support.live import static_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return User.objects.create_user("alice")


@pytest.fixture
def key(alice):
    return ApiKey.create_with_secret(alice.pk, "laptop")


def fault(response):
    return response.status_code, response.json()["error"]["code"]


def test_a_key_opens_the_description_by_either_header(client, key):
    _, secret = key
    assert client.get("/api/schema/", headers={"x-api-key": secret}).status_code == 200
    assert client.get("/api/schema/", headers={"authorization": f"Bearer {secret}"}).status_code == 200


def test_a_session_opens_it_too(client, alice):
    static_files()
    client.force_login(alice)
    assert client.get("/api/schema/").status_code == 200
    assert b"swagger" in client.get("/api/docs/").content


def test_nobody_and_a_revoked_key_get_401_in_the_shape_of_all_errors(client, key):
    made, secret = key
    made.revoke()
    assert fault(client.get("/api/schema/")) == (401, "invalid_api_key")
    assert fault(client.get("/api/schema/", headers={"x-api-key": secret})) == (401, "invalid_api_key")
    assert fault(client.get("/api/schema/", headers={"x-api-key": "a", "authorization": "Bearer b"}))[0] == 401


def test_an_address_that_is_none_gets_404_in_that_shape(client):
    assert fault(client.get("/api/v1/nothing/")) == (404, "not_found")
    assert fault(client.post("/api/v1/nothing/")) == (404, "not_found")


def test_another_method_gets_405_that_names_what_is_possible(client, alice):
    client.force_login(alice)
    response = client.delete("/api/schema/")
    assert fault(response) == (405, "method_not_allowed")
    assert "GET" in response.json()["error"]["message"]


def test_the_description_lists_the_errors_of_each_operation_with_their_body(client, key):
    document = client.get("/api/schema/?format=json", headers={"x-api-key": key[1]}).json()
    operations = {
        (verb, path): operation["responses"]
        for path, verbs in document["paths"].items()
        if path.startswith(("/api/v1/", "/api/schema/"))
        for verb, operation in verbs.items()
    }
    assert len(operations) > 20
    for (verb, path), responses in operations.items():
        errors = {status for status in responses if status >= "400"}
        assert "401" in errors, (verb, path)
        assert ("404" in errors) >= ("{id}" in path), (verb, path)
        assert ("403" in errors) >= (verb != "get"), (verb, path)
        assert ("400" in errors) >= (verb == "patch"), (verb, path)
        costly = path.endswith(("/export/", "/import/", "/search/")) or (verb, path) == (
            "get",
            "/api/v1/conversations/",
        )
        assert ("429" in errors) == costly, (verb, path)
        for status in errors:
            body = responses[status]["content"]["application/json"]["schema"]
            assert body == {"$ref": "#/components/schemas/Error"}, (verb, path, status)
            assert responses[status]["description"]
    assert set(document["components"]["schemas"]["Fault"]["properties"]) == {"message", "type", "param", "code"}
