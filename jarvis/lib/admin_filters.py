"""Which look-ups the lists of the admin take from an address: those of filters that they show, and no other.

Django itself allows every field of the row, so somebody who may only look at a list could ask, letter by letter, for
what it hides: `?digest__startswith=a`.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

# What Django's filters and the levels of a date hierarchy put behind a field's name. `id` and `pk`: of another row.
SUFFIXES = {"exact", "isnull", "gte", "gt", "lt", "lte", "in", "year", "month", "day", "id", "pk"}


class NamedFilters(admin.ModelAdmin[Any]):
    """A list with filters by name. `linked_filters`: look-ups by which other pages lead to it."""

    linked_filters: ClassVar[Sequence[str]] = ()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        if lookup in self.linked_filters:
            return True
        fields = [*self.filter_names(request), *([self.date_hierarchy] if self.date_hierarchy else [])]
        return any(names_field(lookup, field) for field in fields)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django's page, on which our own sentences are in the reader's language, too."""
        response = super().history_view(request, object_id, extra_context)
        for entry in (getattr(response, "context_data", None) or {}).get("action_list", ()):
            if entry.change_message and not entry.change_message.startswith("["):  # which Django itself translates
                entry.change_message = gettext(entry.change_message)
        return response

    def filter_names(self, request: HttpRequest | None) -> Iterable[str]:
        """The fields and parameters of the filters at the side of the list."""
        filters: Any = self.get_list_filter(request) if request is not None else self.list_filter
        for one in filters:
            field = one[0] if isinstance(one, tuple | list) else one
            yield field if isinstance(field, str) else field.parameter_name


class DayFilter(admin.DateFieldListFilter):
    """Django's filter of a moment or a day, with yesterday after today."""

    words: Any = ""  # what stands after "By", where the field's own name does not fit there

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        any_day, (words, today), *others = self.links
        begin: Any = today[self.lookup_kwarg_since]
        yesterday = {self.lookup_kwarg_since: begin - timedelta(days=1), self.lookup_kwarg_until: begin}
        self.links = (any_day, (words, today), (_("Yesterday"), yesterday), *others)
        self.title = self.words or self.title


def filter_by_day(words: str | Promise) -> type[DayFilter]:
    """The filter of days under a name of its own."""
    return type("NamedDayFilter", (DayFilter,), {"words": words})


def names_field(lookup: str, field: str) -> bool:
    """Whether a look-up asks for a field's whole value, a range of it, or whether it has one."""
    if lookup == field:
        return True
    return lookup.startswith(f"{field}__") and SUFFIXES.issuperset(lookup.removeprefix(f"{field}__").split("__"))
