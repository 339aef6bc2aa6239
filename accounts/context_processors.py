"""What every template has at hand."""

from typing import Any

from django.http import HttpRequest


def reader_theme(request: HttpRequest) -> dict[str, Any]:
    """The theme that the reader chose. Pages of errors may come before anybody knows who reads them."""
    preferences = getattr(request, "preferences", None)
    return {"theme": preferences.theme if preferences is not None else "system"}
