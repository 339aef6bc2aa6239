"""REST resources: models and their prices, usage, workers, and the generations of the ledger."""

from typing import cast

import django_filters
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts.audit import record_event
from inference import workers as operate
from inference.api.http import request_caller
from inference.api.serializers import (
    GenerationSerializer,
    ModelSerializer,
    PlacedGenerationSerializer,
    UsageAnswerSerializer,
    UsageQuerySerializer,
    UsageRowSerializer,
    WorkerSerializer,
)
from inference.models import Generation, LanguageModel
from inference.models.usage import UsageDay
from inference.queue.submit import stop_generations_sync
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.worker_state import WorkerState
from jarvis.lib import api_errors
from jarvis.lib.config import config
from jarvis.lib.disk import explain_outage
from jarvis.lib.drf.filters import IdFilter, StrictFilterSet, refuse_unknown
from jarvis.lib.drf.pagination import LimitedPagination, NewestPagination
from jarvis.lib.drf.permissions import Scoped, SignedInToChange, may_read_all

WORKER = OpenApiParameter("id", OpenApiTypes.STR, "path", description="As the list gives it.")
EVERYBODY = "for administrators, and keys of theirs with the scope admin-read"


class ModelFilterSet(StrictFilterSet):
    name = django_filters.CharFilter(help_text="The whole name, as calls give it.")

    class Meta:
        model = LanguageModel
        fields = ("kind", "enabled", "default")


@extend_schema_view(
    list=extend_schema(description="Models that may be used; for administrators also those that are switched off."),
    partial_update=extend_schema(description="Change prices, switch on or off, make it the default; administrators."),
)
class ModelViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.UpdateModelMixin, GenericViewSet[LanguageModel]
):
    queryset = LanguageModel.objects.order_by("-default", "name")
    serializer_class = ModelSerializer
    permission_classes = (Scoped, SignedInToChange)
    scope = "models"
    filterset_class = ModelFilterSet
    lookup_value_regex = "[0-9]{1,18}"
    http_method_names = ("get", "patch", "head", "options")

    def get_queryset(self) -> QuerySet[LanguageModel]:
        models = super().get_queryset()
        if self.request.method not in SAFE_METHODS:
            if not self.request.user.has_perm("inference.change_languagemodel"):
                raise api_errors.permission_denied("change models")
            return models
        if may_read_all(self.request, "inference.languagemodel"):
            return models
        return models.filter(pk__in=LanguageModel.objects.open_to(request_caller(self.request)).values("pk"))

    def perform_update(self, serializer: BaseSerializer[LanguageModel]) -> None:
        model = serializer.save()
        record_event("model.changed", obj=model, fields=sorted(serializer.validated_data))


class UsageView(APIView):
    """Usage by day and whatever else is asked for, with totals. Days are those of UTC, both ends included."""

    permission_classes = (Scoped,)
    scope = "history"

    @extend_schema(parameters=[UsageQuerySerializer], responses=UsageAnswerSerializer, operation_id="usage")
    def get(self, request: Request) -> Response:
        query = UsageQuerySerializer(data=request.query_params)
        refuse_unknown(request.query_params, query.fields.keys())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        usage = UsageDay.objects.between(asked["start"], asked["end"])
        if not may_read_all(request, "inference.usageday"):
            usage = usage.for_user(request.user.pk or 0)
        elif asked.get("user"):
            usage = usage.filter(user__username__iexact=asked["user"])
        if asked.get("model"):
            usage = usage.filter(model=asked["model"])
        if asked.get("key"):
            usage = usage.filter(key_id=asked["key"])
        pages = LimitedPagination()
        rows = pages.paginate_queryset(usage.sum_by(asked["group"]), request, view=self)
        totals = usage.sum_totals()
        answer = {
            "start": asked["start"],
            "end": asked["end"],
            "currency": config.currency,
            "counted_at": totals.pop("made_at"),
            "totals": totals,
            "count": pages.count,
            "next": pages.get_next_link(),
            "previous": pages.get_previous_link(),
            "results": [UsageRowSerializer.row(row) for row in rows or ()],
        }
        return Response(UsageAnswerSerializer(answer).data)


@extend_schema_view(get=extend_schema(operation_id="plain_usage"))
class PlainUsageView(UsageView):
    """The same at /api/usage."""


class WorkerViewSet(ViewSet):
    """Workers that are alive, with their engines and memory. For administrators."""

    permission_classes = (Scoped, SignedInToChange)
    serializer_class = WorkerSerializer
    lookup_value_regex = "[0-9a-f]{16}"
    more_errors = {"*": (403, 503)}  # for whoever is no administrator, and without Redis

    def list_workers(self) -> list[WorkerState]:
        if not may_read_all(self.request, "inference.generation"):
            raise api_errors.permission_denied("see workers")
        try:
            return operate.list_workers()
        except UNAVAILABLE_ERRORS:
            raise api_errors.server_overloaded(explain_outage("Redis cannot be reached.")) from None

    def get_worker(self, id: str) -> WorkerState:
        for found in self.list_workers():
            if found.id == id:
                return found
        raise api_errors.make_error(404, "not_found", "There is no such worker, or it has ended.")

    @extend_schema(responses=WorkerSerializer(many=True), operation_id="workers_list")
    def list(self, request: Request) -> Response:
        return Response(WorkerSerializer(self.list_workers(), many=True).data)

    @extend_schema(responses=WorkerSerializer, parameters=[WORKER])
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(WorkerSerializer(self.get_worker(pk)).data)

    @extend_schema(request=None, responses=WorkerSerializer, parameters=[WORKER])
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Take nothing new and finish what runs; it stays so after a restart, until it is resumed."""
        worker = self.find_worker(request, pk)
        operate.pause_worker(worker, cast(User, request.user))
        worker.paused = True
        return Response(WorkerSerializer(worker).data)

    @extend_schema(request=None, responses=WorkerSerializer, parameters=[WORKER])
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Take work again."""
        worker = self.find_worker(request, pk)
        operate.resume_worker(worker)
        worker.paused = False
        return Response(WorkerSerializer(worker).data)

    def find_worker(self, request: Request, pk: str) -> WorkerState:
        if not request.user.has_perm("inference.change_pausedplace"):
            raise api_errors.permission_denied("pause workers")
        return self.get_worker(pk)


class GenerationFilter(StrictFilterSet):
    status = django_filters.MultipleChoiceFilter(choices=Generation.Status.choices)
    since = django_filters.IsoDateTimeFilter("created_at", "gte")
    before = django_filters.IsoDateTimeFilter("created_at", "lt")
    owner = django_filters.CharFilter("owner__username", help_text=f"A user's name; {EVERYBODY}.")
    key = IdFilter("key_id", help_text="A key's id.")
    door = django_filters.ChoiceFilter(choices=[(door, door) for door in ("chat", "api", "v1")])

    class Meta:
        model = Generation
        fields = ("model", "request_id")


@extend_schema_view(
    list=extend_schema(description=f"Calls, the newest first: one's own, or all of them {EVERYBODY}. Figures only.")
)
class GenerationViewSet(mixins.ListModelMixin, GenericViewSet[Generation]):
    queryset = Generation.objects.select_related("owner").defer("request", "text", "choices")
    serializer_class = GenerationSerializer
    permission_classes = (Scoped,)
    scope = "history"
    pagination_class = NewestPagination
    filterset_class = GenerationFilter
    lookup_value_regex = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

    def get_queryset(self) -> QuerySet[Generation]:
        rows = super().get_queryset()
        if may_read_all(self.request, "inference.generation"):
            return rows
        return rows.filter(owner_id=self.request.user.pk)

    @extend_schema(responses=PlacedGenerationSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One call; while it waits, with its place in the queue and how long it may wait there."""
        row = self.get_object()
        row.place = operate.find_position(row)  # type: ignore[attr-defined]
        return Response(PlacedGenerationSerializer(row).data)

    @extend_schema(request=None, responses=GenerationSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop a call of one's own, waiting or running; one that has ended stays as it is. Its text so far is kept."""
        rows = super().get_queryset()
        if request.auth is not None or not request.user.has_perm("inference.change_generation"):
            rows = rows.filter(owner_id=request.user.pk)
        row = get_object_or_404(rows, pk=pk)
        if not row.ended:
            stop_generations_sync([row.pk])
            row.refresh_from_db(fields=("status", "finish_reason", "finished_at"))
        return Response(self.get_serializer(row).data)
