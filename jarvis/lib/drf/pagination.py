"""Pages of lists, of bounded length."""

from rest_framework.pagination import CursorPagination, LimitOffsetPagination

MAX_PAGE_ROWS = 500


class LimitedPagination(LimitOffsetPagination):
    max_limit = MAX_PAGE_ROWS


class NewestPagination(CursorPagination):
    """For lists that grow while they are read."""

    page_size, max_page_size, page_size_query_param = 50, MAX_PAGE_ROWS, "limit"
    ordering = ("-created_at", "-id")
