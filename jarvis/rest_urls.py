"""Addresses of the REST resources, which each app has in its `resources.py`."""

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from accounts.resources import KeyViewSet
from chat.api.resources import ConversationViewSet, ShareViewSet
from inference.api.resources import GenerationViewSet, ModelViewSet, UsageView, WorkerViewSet
from jarvis.lib import api_errors

router = SimpleRouter()
router.register("conversations", ConversationViewSet)
router.register("shares", ShareViewSet)
router.register("keys", KeyViewSet)
router.register("models", ModelViewSet)
router.register("workers", WorkerViewSet, basename="worker")
router.register("generations", GenerationViewSet)


@extend_schema(exclude=True)
class Nothing(APIView):
    """Any other address: an error like all others here, also for who is not known."""

    permission_classes = ()

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise api_errors.not_found(request.path)


urlpatterns: list[URLPattern | URLResolver] = [
    path("v1/usage/", UsageView.as_view(), name="usage-api"),
    path("v1/", include(router.urls)),
    re_path("^v1/", Nothing.as_view()),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api-docs"),
]
