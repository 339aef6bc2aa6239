"""Pages of lists, of bounded length."""

from rest_framework.pagination import CursorPagination, LimitOffsetPagination

LONGEST = 500


class Page(LimitOffsetPagination):
    max_limit = LONGEST


class Newest(CursorPagination):
    """For lists that grow while they are read."""

    page_size, max_page_size, page_size_query_param = 50, LONGEST, "limit"
    ordering = ("-created_at", "-id")
