"""What the OpenAPI document allows, sent to every resource: no 500, and answers as the document says."""

import hypothesis
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.http import parse_cookie
from schemathesis import checks

from tests.support.callers import key_headers, session_headers
from tests.support.matrix import MATRIX, Owned

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume"),  # under WSGI, which only this test uses
]

PROFILE = hypothesis.settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.generate],
)
# The document lists the errors, too; who reaches what is the business of the matrix.
checks.load_all_checks()
NAMES = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
CHECKS = checks.CHECKS.get_by_names(NAMES)


@pytest.fixture
def alice(transactional_db):
    return User.objects.create_user("alice")


@pytest.mark.parametrize("door", [key_headers, session_headers])
def test_resources_do_what_their_document_says(alice, door):
    headers = door(alice) | {"accept-encoding": "identity"}  # WSGI's client would not unpack it
    cookies = parse_cookie(headers.pop("cookie", ""))
    for row in MATRIX.values():
        if isinstance(row, Owned):
            row.make(alice)
    application = get_wsgi_application()
    schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", application, headers=key_headers(alice))
    found = [operation.ok() for operation in schema.get_all_operations()]
    operations = [operation for operation in found if operation.path.startswith(("/api/v1/", "/api/schema/"))]
    if not operations:
        pytest.skip("NOT TRIED: the OpenAPI document names no resources.")
    tried = 0

    def try_out(operation):
        @PROFILE
        @hypothesis.given(operation.as_strategy())
        def send(case):
            nonlocal tried
            tried += 1
            case.call_and_validate(headers=headers, cookies=cookies, checks=CHECKS)

        send()

    for operation in operations:
        try_out(operation)
    assert tried >= 5 * len(operations)
