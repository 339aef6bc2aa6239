"""Where the document is read: as a file, and as a page. A browser in which nobody is signed in comes to the sign-in."""

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotAuthenticated
from rest_framework.views import APIView

from jarvis.lib.http import wants_page
from jarvis.lib.private_names import django_request


class SignInFirst(APIView):
    """A view for which people are asked to sign in, where programs get 401."""

    def handle_exception(self, exc: Exception) -> Any:
        request = django_request(self.request)
        if isinstance(exc, NotAuthenticated) and request.method in ("GET", "HEAD") and wants_page(request):
            response: HttpResponseBase = redirect_to_login(request.get_full_path())
            return response
        return super().handle_exception(exc)


class ApiDocument(SignInFirst, SpectacularAPIView):
    """The OpenAPI document, as YAML or JSON: in one language, whatever that of its reader's pages."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with translation.override("en"):
            response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


class ApiDocumentPage(SignInFirst, SpectacularSwaggerSplitView):
    """The same to read and to try out."""
