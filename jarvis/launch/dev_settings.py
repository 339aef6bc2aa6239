"""The settings of `make dev`: error pages that show the code, templates and static files read anew from the source."""

from copy import deepcopy
from typing import Any

from jarvis.settings import *  # noqa: F403
from jarvis.settings import MIDDLEWARE, STORAGES, TEMPLATES

DEBUG = True

# Django keeps compiled templates, and forgets them only under its own reloader.
TEMPLATES = deepcopy(TEMPLATES)
_templates: dict[str, Any] = TEMPLATES[0]
_templates["APP_DIRS"] = False
_templates["OPTIONS"]["loaders"] = [
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]

STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True

_inside = MIDDLEWARE.index("jarvis.web.csp.content_security_policy") + 1
MIDDLEWARE = [*MIDDLEWARE[:_inside], "jarvis.web.csp.relax_policy_of_errors", *MIDDLEWARE[_inside:]]
