"""The REST resource of API keys: one's own, made, listed and revoked. The secret is in the answer that makes it."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.models import ApiKey
from jarvis.lib.drf.filters import BooleanFilter, StrictFilterSet
from jarvis.lib.drf.permissions import SignedInToChange, may_read_all
from jarvis.lib.drf.strict import Strict


@extend_schema_serializer(
    examples=[OpenApiExample("A key for a script", {"label": "backup script", "expires_at": None}, request_only=True)]
)
class KeySerializer(Strict, serializers.ModelSerializer[ApiKey]):
    owner = serializers.CharField(source="owner.username", read_only=True)
    label = serializers.CharField(max_length=100)  # type: ignore[assignment]  # hides an attribute of all fields
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    class Meta:
        model = ApiKey
        fields = ("id", "owner", "label", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")
        read_only_fields = ("id", "prefix", "created_at", "revoked_at", "last_used_at")

    def validate_expires_at(self, value: Any) -> Any:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("This is in the past. Choose a later time, or none.")
        return value


class NewKeySerializer(KeySerializer):
    secret = serializers.CharField(read_only=True, help_text="Shown this once; only a hash of it is kept.")

    class Meta(KeySerializer.Meta):
        fields = (*KeySerializer.Meta.fields, "secret")  # type: ignore[assignment]


class KeyFilter(StrictFilterSet):
    revoked = BooleanFilter("revoked_at", "isnull", exclude=True)
    owner = django_filters.CharFilter("owner__username", help_text="A user's name; for administrators.")

    class Meta:
        model = ApiKey
        fields = ()


@extend_schema_view(list=extend_schema(description="One's own keys, the newest first; all of them for administrators."))
class KeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, GenericViewSet[ApiKey]):
    queryset = ApiKey.objects.select_related("owner").order_by("-created_at", "-id")
    serializer_class = KeySerializer
    permission_classes = (SignedInToChange,)
    filterset_class = KeyFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[ApiKey]:
        keys = super().get_queryset()
        if may_read_all(self.request, "accounts.apikey"):
            return keys
        return keys.filter(owner_id=self.request.user.pk)

    @extend_schema(request=KeySerializer, responses={201: NewKeySerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make a key for oneself. Its secret is in this answer and nowhere else."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        assert request.user.pk is not None
        key, secret = ApiKey.create_with_secret(request.user.pk, **serializer.validated_data)
        key.secret = secret  # type: ignore[attr-defined]
        made = NewKeySerializer(key)
        return Response(made.data, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})

    @extend_schema(request=None, responses=KeySerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, pk: str) -> Response:
        """Revoke a key of one's own: every interface refuses it within a second. It stays in the list."""
        key = get_object_or_404(ApiKey.objects.select_related("owner"), pk=pk, owner_id=request.user.pk)
        if key.revoked_at is None:
            key.revoke()
        return Response(self.get_serializer(key).data)
