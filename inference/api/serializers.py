"""What the REST resources of models, usage, workers and generations take and give."""

from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from inference.models import Generation, LanguageModel
from inference.models.usage import FIGURES, GROUPS
from jarvis.lib.drf.strict import Strict

MAX_SPAN = timedelta(days=3 * 366)
PRICE = {"max_digits": 12, "decimal_places": 6, "min_value": 0, "required": False, "allow_null": True}


@extend_schema_serializer(
    examples=[OpenApiExample("Prices", {"price_input": "0.15", "price_output": "0.60"}, request_only=True)]
)
class ModelSerializer(Strict, serializers.ModelSerializer[LanguageModel]):
    price_input = serializers.DecimalField(**PRICE)  # type: ignore[arg-type]
    price_output = serializers.DecimalField(**PRICE)  # type: ignore[arg-type]
    price_cached = serializers.DecimalField(**PRICE)  # type: ignore[arg-type]

    class Meta:
        model = LanguageModel
        prices = ("price_input", "price_output", "price_cached")
        fields = ("id", "name", "kind", "max_model_len", "default", "enabled", *prices, "created_at")
        read_only_fields = ("id", "name", "kind", "max_model_len", "created_at")
        extra_kwargs: dict[str, Any] = {"default": {"validators": []}}  # `update` sees to it that there is one
        validators: list[Any] = []

    def validate_default(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError("Make another model the default instead.")
        return value

    @transaction.atomic
    def update(self, instance: LanguageModel, validated_data: dict[str, Any]) -> LanguageModel:
        if validated_data.get("default"):
            LanguageModel.objects.filter(default=True).exclude(pk=instance.pk).update(default=False)
            validated_data["enabled"] = True
        return super().update(instance, validated_data)


class FiguresSerializer(serializers.Serializer[Any]):
    calls = serializers.IntegerField()
    failed = serializers.IntegerField()
    stopped = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField(help_text="Of the prompt tokens, those that the engine had in its cache.")
    cost = serializers.DecimalField(max_digits=30, decimal_places=12)


class UsageKeySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment]  # hides an attribute of all fields
    prefix = serializers.CharField()


class UsageRowSerializer(FiguresSerializer):
    day = serializers.DateField(required=False)
    model = serializers.CharField(required=False)
    key = UsageKeySerializer(required=False, allow_null=True, help_text="null: without a key.")
    user = serializers.CharField(required=False)

    @staticmethod
    def row(found: dict[str, Any]) -> dict[str, Any]:
        """A row of `UsageDay.objects.by` in these fields."""
        told: dict[str, Any] = {name: found[f"sum_{name}"] for name in FIGURES}
        told |= {name: found[name] for name in ("day", "model") if name in found}
        if "user__username" in found:
            told["user"] = found["user__username"]
        if "key_id" in found:
            key = {"id": found["key_id"], "label": found["key__label"], "prefix": found["key__prefix"]}
            told["key"] = key if found["key_id"] is not None else None
        return told


class UsageAnswerSerializer(serializers.Serializer[Any]):
    start = serializers.DateField()
    end = serializers.DateField()
    currency = serializers.CharField()
    counted_at = serializers.DateTimeField(allow_null=True, help_text="Calls that ended later may be missing.")
    totals = FiguresSerializer()
    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = UsageRowSerializer(many=True)


class UsageQuerySerializer(serializers.Serializer[Any]):
    start = serializers.DateField(required=False, help_text="First day; 29 days before the last where it is left out.")
    end = serializers.DateField(required=False, help_text="Last day; today where it is left out.")
    group = serializers.CharField(
        required=False, default="day,model", help_text=f"What to sum by, separated by commas: {', '.join(GROUPS)}."
    )
    model = serializers.CharField(required=False)
    key = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1, help_text="A key's id.")
    user = serializers.CharField(required=False, help_text="A user's name; for administrators.")
    limit = serializers.IntegerField(required=False, min_value=1)
    offset = serializers.IntegerField(required=False, min_value=0, max_value=10**9)

    def validate_group(self, value: str) -> list[str]:
        wanted = [word.strip() for word in value.split(",")]
        for word in wanted:
            if word not in GROUPS:
                raise serializers.ValidationError(f"{word[:50]!r} is none of {', '.join(GROUPS)}.")
        return list(dict.fromkeys(wanted))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        end: date = attrs.setdefault("end", timezone.now().date())
        start: date = attrs.setdefault("start", max(end, date(1, 2, 1)) - timedelta(days=29))
        if start > end:
            raise serializers.ValidationError({"start": "This is after the end."})
        if end - start > MAX_SPAN:
            raise serializers.ValidationError({"start": f"At most {MAX_SPAN.days} days can be asked for at once."})
        return attrs


class GpuSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    memory_total = serializers.IntegerField(help_text="MiB")
    memory_used = serializers.IntegerField(help_text="MiB")
    use = serializers.IntegerField(help_text="Percent")


class EngineSerializer(serializers.Serializer[Any]):
    phase = serializers.CharField(help_text="starting, loading, warming, ready, failed or stopped")
    detail = serializers.CharField()
    progress = serializers.FloatField(allow_null=True, help_text="0 to 1")
    model = serializers.CharField()
    max_model_len = serializers.IntegerField()
    adopted = serializers.BooleanField(help_text="Whether it was taken over from a worker that died.")


class WorkerSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="Of its place, so the same after a restart.")
    place = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    running = serializers.IntegerField()
    slots = serializers.IntegerField(help_text="How many it runs at once.")
    paused = serializers.BooleanField()
    draining = serializers.BooleanField(help_text="Whether it is ending.")
    tokens_per_second = serializers.FloatField()
    memory_total = serializers.IntegerField(help_text="MiB")
    memory_available = serializers.IntegerField(help_text="MiB")
    engine = EngineSerializer()
    gpus = GpuSerializer(many=True)


class GenerationSerializer(serializers.ModelSerializer[Generation]):
    owner = serializers.CharField(source="owner.username", read_only=True)

    class Meta:
        model = Generation
        fields = (
            "id", "owner", "key", "model", "door", "request_id", "status", "finish_reason", "error_code",
            "error_message", "error_param", "attempt", "prompt_tokens", "completion_tokens", "cached_tokens",
            "reasoning_tokens", "cost", "created_at", "started_at", "first_token_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class PlacedGenerationSerializer(GenerationSerializer):
    """With its place in the queue, which the view puts into `place`."""

    position = serializers.IntegerField(
        source="place.position", read_only=True, allow_null=True, help_text="1 is served next; null: it does not wait."
    )
    wait_seconds = serializers.FloatField(
        source="place.wait_seconds",
        read_only=True,
        allow_null=True,
        help_text="Until it begins, as the latest answers of its model suggest; null: nothing is known.",
    )

    class Meta(GenerationSerializer.Meta):
        fields = read_only_fields = (*GenerationSerializer.Meta.fields, "position", "wait_seconds")  # type: ignore[assignment]
