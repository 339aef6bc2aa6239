"""Pages of lists, of bounded length. A length or a place that is no number is refused with the parameter's name."""

from typing import Any

from rest_framework.pagination import CursorPagination, LimitOffsetPagination
from rest_framework.request import Request

from jarvis.lib import api_errors
from jarvis.lib.query import query_number

MAX_PAGE_ROWS = 500
MAX_OFFSET = 10**9  # rows


def read_limit(request: Request, default: int, most: int) -> int:
    """The parameter `limit`: from 1, and a page is never longer than `most`. Raises ApiError 400."""
    if not request.query_params.get("limit"):
        return default
    limit = query_number(request.query_params, "limit", default=default, most=MAX_OFFSET)
    if not limit:
        raise api_errors.invalid_request("`limit` must be a whole number from 1 on.", "limit")
    return min(limit, most)


class LimitedPagination(LimitOffsetPagination):
    max_limit = MAX_PAGE_ROWS

    def get_limit(self, request: Request) -> int | None:
        return read_limit(request, self.default_limit or MAX_PAGE_ROWS, MAX_PAGE_ROWS)

    def get_offset(self, request: Request) -> int:
        if not request.query_params.get("offset"):
            return 0
        return query_number(request.query_params, "offset", default=0, most=MAX_OFFSET)


class CursorPages(CursorPagination):
    """For lists that grow while they are read."""

    page_size, max_page_size, page_size_query_param = 50, MAX_PAGE_ROWS, "limit"

    def get_page_size(self, request: Request) -> int | None:
        return read_limit(request, self.page_size or MAX_PAGE_ROWS, self.max_page_size or MAX_PAGE_ROWS)


class NewestPagination(CursorPages):
    ordering: Any = ("-created_at", "-id")
