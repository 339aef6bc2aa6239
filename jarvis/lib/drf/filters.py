"""Filters of lists that refuse what they do not understand, instead of giving a longer list than was asked for."""

from collections.abc import Collection
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.datastructures import MultiValueDict
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework.request import Request
from rest_framework.settings import api_settings

from jarvis.lib import api_errors
from jarvis.lib.query import MAX_ROW_ID

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class WordField(forms.Field):
    """true or false, in the words that programs use; empty is neither."""

    def to_python(self, value: Any) -> bool | None:
        word = str(value).strip().lower()
        if value in self.empty_values or not word:
            return None
        if word not in (*TRUE, *FALSE):
            raise ValidationError("Use true or false.")
        return word in TRUE


class BooleanFilter(django_filters.BooleanFilter):  # type: ignore[misc]
    """Django's own takes any other word for "unknown", and leaves the list as it is."""

    field_class = WordField


@extend_schema_field({"type": "integer", "minimum": 1})
class IdFilter(django_filters.NumberFilter):  # type: ignore[misc]
    """By the id of another row, without a look whether there is one: that would tell whose ids exist."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, min_value=1, max_value=MAX_ROW_ID)

    def get_max_validator(self) -> None:
        """None of its own."""


class StrictFilterSet(django_filters.FilterSet):  # type: ignore[misc]
    FILTER_DEFAULTS = {
        **django_filters.FilterSet.FILTER_DEFAULTS,
        models.BooleanField: {"filter_class": BooleanFilter},
    }


class StrictFilterBackend(DjangoFilterBackend):  # type: ignore[misc]
    """Refuses parameters that the list does not have, too: a misspelt filter would give everything."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        filters = self.get_filterset_class(view, queryset)
        if filters is not None and not getattr(view, "detail", False):
            refuse_unknown(request.query_params, {*filters.base_filters, *page_parameters(view.paginator)})
        return super().filter_queryset(request, queryset, view)


def page_parameters(pages: Any) -> set[str]:
    """The parameters by which pages of a list are asked for."""
    kinds = ("limit_query_param", "offset_query_param", "cursor_query_param", "page_size_query_param")
    return {name for kind in kinds if (name := getattr(pages, kind, None))}


def refuse_unknown(query: MultiValueDict[str, str], known: Collection[str]) -> None:
    """Raise ApiError 400 for the first parameter that is none of the known ones."""
    for name in query:
        if name not in known and name != api_settings.URL_FORMAT_OVERRIDE:
            there = ", ".join(sorted(known))
            raise api_errors.invalid_request(
                f"There is no parameter `{name[:50]}` here. There are: {there}.", name[:50]
            )
