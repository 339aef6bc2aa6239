"""Addresses of the REST resources, which each app has in its `resources.py`."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.utils import extend_schema
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from accounts.resources import KeyViewSet
from chat.api.resources import ConversationViewSet, ShareViewSet
from inference.api.resources import GenerationViewSet, ModelViewSet, UsageView, WorkerViewSet
from jarvis.api_document.views import ApiDocument, ApiDocumentPage
from jarvis.web.bad_requests import answer_wrong_address

router = SimpleRouter()
router.register("conversations", ConversationViewSet)
router.register("shares", ShareViewSet)
router.register("keys", KeyViewSet)
router.register("models", ModelViewSet)
router.register("workers", WorkerViewSet, basename="worker")
router.register("generations", GenerationViewSet)


@extend_schema(exclude=True)
class Nothing(APIView):
    """Any other address: an error like all others here, also for who is not known, or the way to the one that was
    meant where only the last slash is missing."""

    permission_classes = ()

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        return answer_wrong_address(request)


urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/usage/", UsageView.as_view(), name="usage-api"),
    path("v1/", include(router.urls)),
    re_path("^v1/", Nothing.as_view()),
    path("schema/", ApiDocument.as_view(), name="schema"),
    path("docs/", ApiDocumentPage.as_view(url_name="schema"), name="api-docs"),
]
