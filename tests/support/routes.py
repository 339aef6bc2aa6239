"""Every address of the URL configuration, and every name of an object in the frames of the socket."""

import re
import typing
from dataclasses import dataclass
from uuid import UUID

import msgspec
from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from chat import frames

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Route:
    """One address as it is written in the URL configuration; parameters stand in pointed brackets."""

    path: str
    pattern: URLPattern

    @property
    def parameters(self):
        return PARAMETER.findall(self.path)

    @property
    def in_admin(self):
        return self.path.startswith("admin/")

    def url(self, values=None):
        values = values or {}
        return "/" + PARAMETER.sub(lambda found: str(values[found[1]]), self.path)


def routes(patterns=None, base=""):
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        own = pattern.pattern
        path = base + (str(own) if isinstance(own, RoutePattern) else simplify_regex(str(own)).lstrip("/"))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield Route(path, pattern)


def named_in_frames():
    """`(frame, field)` for every field by which a client's frame can name an object."""
    for frame in frames.FromClient.__subclasses__():
        hints = typing.get_type_hints(frame)
        for field in msgspec.structs.fields(frame):
            kinds = {hints[field.name], *typing.get_args(hints[field.name])}
            if kinds & {UUID, int} and field.name != "client_key":  # the client makes that one up
                yield frame.__name__, field.name
