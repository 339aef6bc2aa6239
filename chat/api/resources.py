"""REST resources of conversations, their messages and their shared links. The page uses the same ones."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from chat import limits, transfer
from chat.api.serializers import (
    ConversationSerializer,
    FoundSerializer,
    ImportedSerializer,
    MessageSerializer,
    ShareSerializer,
)
from chat.frames import Changed
from chat.models import Conversation, Message, Share
from chat.notify import announce_change, announce_frame_sync
from chat.search import HITS_PER_PAGE, MAX_HIT_OFFSET, search_conversations, write_query
from inference.queue.submit import stop_generations_sync
from jarvis.lib import api_errors
from jarvis.lib.drf.filters import BooleanFilter, StrictFilterSet
from jarvis.lib.drf.pagination import CursorPages, NewestPagination
from jarvis.lib.private_names import django_request
from jarvis.lib.query import query_number

Q = OpenApiParameter("q", str, required=True, description='Words, `"a phrase"`, `-without`, `this or that`.')
OFFSET = OpenApiParameter("offset", int, description=f"From which hit on, to {MAX_HIT_OFFSET}.")
AS = OpenApiParameter("as", str, enum=["json", "markdown"], description="json where it is left out.")
FILE = {"multipart/form-data": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}}

A_FILE = {(200, "application/json"): OpenApiTypes.OBJECT}


class LatestPagination(NewestPagination):
    page_size = 100
    ordering = ("-updated_at", "-id")


class MessagePagination(CursorPages):
    page_size, max_page_size = 200, 1000
    ordering = ("id",)


class ConversationFilter(StrictFilterSet):
    archived = BooleanFilter("archived_at", "isnull", exclude=True)
    pinned = BooleanFilter("pinned_at", "isnull", exclude=True)
    folder = django_filters.CharFilter("folder", help_text="Its whole name.")
    search = django_filters.CharFilter(method="with_words", help_text="Words in its title or texts, as in search/.")

    class Meta:
        model = Conversation
        fields = ("archived", "pinned", "folder", "search")

    def with_words(self, conversations: Any, name: str, text: str) -> Any:
        limits.count_call(django_request(self.request), limits.search_limit())
        return conversations.with_words(write_query(self.request.user.pk, text))


class ShareFilter(StrictFilterSet):
    conversation = django_filters.UUIDFilter("conversation_id")

    class Meta:
        model = Share
        fields = ("conversation",)


def user_id_of(request: Request) -> int:
    assert request.user.pk is not None  # the permission of all resources sees to it
    return request.user.pk


def refuse_download(request: Request) -> HttpResponseBase | None:
    """The page that says when to come for a file again, where it was a link on ours that was followed too often.
    Raises ApiError 429 for scripts."""
    if "text/html" in request.headers.get("accept", ""):
        return limits.check_limit(django_request(request), limits.file_limit())
    limits.count_call(django_request(request), limits.file_limit())
    return None


@extend_schema_view(
    list=extend_schema(summary="One's conversations, newest first"),
    retrieve=extend_schema(summary="One conversation"),
    partial_update=extend_schema(summary="Rename, pin, archive, file or set up a conversation"),
    destroy=extend_schema(summary="Delete a conversation", description="It can be restored for a day."),
)
class ConversationViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, GenericViewSet[Conversation]
):
    scope = "history"
    serializer_class = ConversationSerializer
    more_errors = dict.fromkeys(("list", "search", "export", "export_all", "import_file"), (429,))
    pagination_class = LatestPagination
    filterset_class = ConversationFilter
    queryset = Conversation.objects.all()
    lookup_value_regex = "[0-9a-fA-F-]{36}"
    http_method_names = ["get", "head", "options", "post", "patch", "delete"]

    def get_queryset(self) -> QuerySet[Conversation]:
        """What is another person's is not found; what is deleted only where it can be restored."""
        user_id = self.request.user.pk
        if user_id is None:
            return Conversation.objects.none()
        return (
            Conversation.objects.for_user_with_deleted if self.action == "restore" else Conversation.objects.for_user
        )(user_id)

    def perform_update(self, serializer: Any) -> None:
        announce_change(serializer.save())

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        conversation = self.get_object()
        stop_generations_sync(conversation.delete_softly())
        announce_change(conversation)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Bring a deleted conversation back", request=None, responses=ConversationSerializer)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: UUID) -> Response:
        conversation = self.get_object()
        conversation.restore()
        announce_change(conversation)
        return Response(self.get_serializer(conversation).data)

    @extend_schema(
        summary="Its messages, all versions, as they were said",
        description="`parent` makes them a tree; what is shown leads from the conversation's `leaf` up to the first.",
        responses=MessageSerializer(many=True),
    )
    @action(detail=True, filterset_class=None, pagination_class=MessagePagination, serializer_class=MessageSerializer)
    def messages(self, request: Request, pk: UUID) -> Response:
        messages = Message.objects.filter(conversation=self.get_object()).with_versions().select_related("generation")
        page: Any = self.paginate_queryset(messages.defer("html"))  # type: ignore[arg-type]
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(summary="Search", parameters=[Q, OFFSET], responses=FoundSerializer(many=True))
    @action(detail=False, filterset_class=None, pagination_class=None, serializer_class=FoundSerializer)
    def search(self, request: Request) -> Response:
        offset = query_number(request.query_params, "offset", default=0, most=MAX_HIT_OFFSET)
        limits.count_call(django_request(request), limits.search_limit())
        found = search_conversations(user_id_of(request), request.query_params.get("q", ""), HITS_PER_PAGE, offset)
        return Response(self.get_serializer(found, many=True).data)

    @extend_schema(summary="One conversation as a file", parameters=[AS], responses=A_FILE)
    @action(detail=True, filterset_class=None)
    def export(self, request: Request, pk: UUID) -> HttpResponseBase:
        conversation = self.get_object()
        if refusal := refuse_download(request):
            return refusal
        match request.query_params.get("as", "json"):
            case "json":
                return transfer.json_file(conversation)
            case "markdown":
                return transfer.markdown_file(conversation)
        raise api_errors.invalid_request("`as` must be json or markdown.", "as")

    @extend_schema(
        summary="All one's conversations as one file", operation_id="v1_conversations_export_all", responses=A_FILE
    )
    @action(detail=False, url_path="export", filterset_class=None, pagination_class=None)
    def export_all(self, request: Request) -> HttpResponseBase:
        return refuse_download(request) or transfer.all_conversations_file(user_id_of(request))

    @extend_schema(
        summary="Import a file",
        description="What `export` gives, or an export of ChatGPT, Claude, Open WebUI or LibreChat: the zip, or the "
        "JSON in it. What was imported before is not imported again; what cannot be read is left out and counted.",
        request=FILE,
        responses=ImportedSerializer,
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        parser_classes=[MultiPartParser, JSONParser],
        filterset_class=None,
        pagination_class=None,
    )
    def import_file(self, request: Request) -> Response:
        file = request.FILES.get("file")
        if file is None:
            raise api_errors.invalid_request(
                "Send the file as the field `file` of a form (multipart/form-data).", "file"
            )
        limits.count_call(django_request(request), limits.file_limit())
        counts = transfer.import_file(user_id_of(request), file)
        if counts.imported:
            announce_frame_sync(user_id_of(request), Changed())
        return Response(ImportedSerializer(counts).data)


@extend_schema_view(
    list=extend_schema(summary="One's links that are open"),
    create=extend_schema(summary="Share a conversation as it is now", description="Whoever has the link may read it."),
    destroy=extend_schema(summary="Withdraw a link"),
)
class ShareViewSet(mixins.ListModelMixin, mixins.CreateModelMixin, mixins.DestroyModelMixin, GenericViewSet[Share]):
    scope = "history"
    serializer_class = ShareSerializer
    queryset = Share.objects.all()
    filterset_class = ShareFilter
    more_errors = {"create": (404,)}  # for a conversation that is none of one's own
    http_method_names = ["get", "head", "options", "post", "delete"]

    def get_queryset(self) -> QuerySet[Share]:
        user_id = self.request.user.pk
        if user_id is None:
            return Share.objects.none()
        return Share.objects.for_user(user_id).open().select_related("conversation").order_by("-id")

    def perform_destroy(self, share: Share) -> None:
        share.withdrawn_at = timezone.now()
        share.save(update_fields=["withdrawn_at"])
