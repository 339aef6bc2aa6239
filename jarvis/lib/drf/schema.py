"""The OpenAPI document with the errors that each operation can answer, in the one shape that all interfaces share."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import SAFE_METHODS

REASONS = {
    400: "A value is malformed, unknown or out of range; `param` names it.",
    401: "No key and no session, or one that opens nothing.",
    403: "The key lacks the scope, or whoever calls the right; or a page sent no CSRF token.",
    404: "There is no such thing, or it belongs to somebody else.",
    429: "Too often; `Retry-After` says for how many seconds to wait.",
    503: "Something that this needs cannot be reached at the moment.",
}


class FaultSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(help_text="What is wrong and what to do, for people.")
    type = serializers.CharField()
    param = serializers.CharField(allow_null=True, help_text="The field that is not in order.")
    code = serializers.CharField(allow_null=True, help_text="A stable word for programs.")


class ErrorSerializer(serializers.Serializer[Any]):
    error = FaultSerializer()


class Schema(AutoSchema):
    """Adds the errors by what the operation is. A view names what is not seen from outside in `more_errors`: statuses,
    by the name of the action, or by `*` for all of its own."""

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        for status in sorted(self.errors()):
            answer = OpenApiResponse(ErrorSerializer, REASONS[status])
            body = self._get_response_for_code(answer, str(status))  # type: ignore[no-untyped-call]
            bodies.setdefault(str(status), body)
        return bodies

    def errors(self) -> set[int]:
        view: Any = self.view
        more: dict[str, tuple[int, ...]] = getattr(view, "more_errors", {})
        found = {*more.get("*", ()), *more.get(getattr(view, "action", None) or "", ())}
        if view.permission_classes:
            found.add(401)
        if self.method not in SAFE_METHODS or getattr(view, "scope", None):
            found.add(403)
        if "{" in self.path:
            found.add(404)
        pages: Any = getattr(view, "pagination_class", None)
        if pages is not None and issubclass(pages, CursorPagination) and self._is_list_view():
            found.add(404)  # for a cursor that is none
        body = self.method in ("POST", "PUT", "PATCH") and self.get_request_serializer() is not None
        if body or any(parameter["in"] == "query" for parameter in self._get_parameters()):
            found.add(400)
        return found
