"""What the REST resources of conversations take and give. Every field is named; a field that is not is refused."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from chat.models import MAX_FOLDER_CHARS, Conversation, Message, Share
from inference.api.http import request_caller
from inference.models import find_model
from jarvis.lib.config import MAX_SYSTEM_PROMPT_CHARS
from jarvis.lib.drf.strict import Strict


class OneLine(serializers.CharField):
    """Text on one line, with single blanks."""

    def to_internal_value(self, data: Any) -> str:
        return " ".join(super().to_internal_value(data).split())


@extend_schema_serializer(
    examples=[OpenApiExample("Rename and pin", {"title": "Keys", "pinned": True}, request_only=True)]
)
class ConversationSerializer(Strict, serializers.ModelSerializer[Conversation]):
    title = OneLine(max_length=200)
    folder = OneLine(max_length=MAX_FOLDER_CHARS, allow_blank=True, help_text="Empty: in none.")
    pinned = serializers.BooleanField()
    archived = serializers.BooleanField()
    model = serializers.CharField(max_length=200, allow_blank=True, help_text="Empty: the default model.")
    system_prompt = serializers.CharField(
        max_length=MAX_SYSTEM_PROMPT_CHARS,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Empty: the owner's, else the site's.",
    )
    temperature = serializers.FloatField(min_value=0, max_value=2, allow_null=True)
    leaf = serializers.IntegerField(source="leaf_id", read_only=True, allow_null=True)

    class Meta:
        model = Conversation
        fields = (
            "id",
            "title",
            "folder",
            "pinned",
            "archived",
            "model",
            "system_prompt",
            "temperature",
            "leaf",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "created_at", "updated_at")

    def validate_title(self, title: str) -> str:
        if not title:
            raise serializers.ValidationError("The title is blank. Write something.")
        return title

    def validate_model(self, name: str) -> str:
        return find_model(request_caller(self.context["request"]), name) if name else name

    def update(self, conversation: Conversation, given: dict[str, Any]) -> Conversation:
        conversation.arrange(**given)
        return conversation


class MessageSerializer(serializers.ModelSerializer[Message]):
    parent = serializers.IntegerField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    continues = serializers.IntegerField(source="continues_id", allow_null=True)
    versions = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Ids of what was said in its place, oldest first, itself among them.",
    )
    model = serializers.CharField(source="generation.model", allow_null=True, default=None)
    status = serializers.CharField(source="generation.status", allow_null=True, default=None)

    class Meta:
        model = Message
        fields = ("id", "parent", "continues", "versions", "role", "text", "model", "status", "created_at")
        read_only_fields = fields


class PartSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(read_only=True)
    hit = serializers.BooleanField(read_only=True, help_text="Whether this piece is what was searched for.")


class FoundSerializer(serializers.Serializer[Any]):
    conversation = serializers.UUIDField(source="conversation.id", read_only=True)
    message = serializers.SerializerMethodField()
    hits = serializers.IntegerField(read_only=True, help_text="How many of its messages were found.")
    title = PartSerializer(many=True, read_only=True)
    snippet = PartSerializer(many=True, read_only=True)
    updated_at = serializers.DateTimeField(source="conversation.updated_at", read_only=True)
    is_close = serializers.BooleanField(
        read_only=True, help_text="Whether it has only what is nearly the same, as nothing has what was searched for."
    )

    @extend_schema_field(serializers.IntegerField(allow_null=True, help_text="The best; null: only the title fits."))
    def get_message(self, found: Any) -> int | None:
        return found.message.pk if found.message is not None else None


class ImportedSerializer(serializers.Serializer[Any]):
    """What became of the conversations in a file."""

    imported = serializers.IntegerField(read_only=True)
    skipped = serializers.IntegerField(read_only=True, help_text="Those that were there already.")
    empty = serializers.IntegerField(read_only=True, help_text="Those in which nothing was said.")
    unreadable = serializers.IntegerField(read_only=True, help_text="Entries that are no conversation or damaged.")
    messages = serializers.IntegerField(read_only=True, help_text="Messages of the imported ones that were left out.")
    attachments = serializers.IntegerField(read_only=True, help_text="Pictures and files of them that were left out.")
    shortened = serializers.IntegerField(read_only=True, help_text="Messages that were too long and were cut off.")
    notes = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Why entries were left out, in words: the first 20."
    )


class OwnConversation(serializers.PrimaryKeyRelatedField[Conversation]):
    """One of the caller's conversations; 404 for any other."""

    def get_queryset(self) -> QuerySet[Conversation]:
        user_id = self.context["request"].user.pk if "request" in self.context else None
        return Conversation.objects.none() if user_id is None else Conversation.objects.for_user(user_id)

    def to_internal_value(self, data: Any) -> Conversation:
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            if error.get_codes() == ["does_not_exist"]:
                raise NotFound from None
            raise


@extend_schema_serializer(
    examples=[
        OpenApiExample("Without a name", {"conversation": "6f1c9a52-3a8e-4d57-9c55-0d3f0a1b2c3d"}, request_only=True)
    ]
)
class ShareSerializer(Strict, serializers.ModelSerializer[Share]):
    conversation = OwnConversation(queryset=Conversation.objects.none())
    title = serializers.CharField(source="conversation.title", read_only=True)
    with_name = serializers.BooleanField(default=False, help_text="Whether the owner's name is shown.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = Share
        fields = ("id", "conversation", "title", "with_name", "url", "created_at")
        read_only_fields = ("id", "created_at")

    def get_url(self, share: Share) -> str:
        path = share.get_absolute_url()
        request = self.context.get("request")
        return request.build_absolute_uri(path) if request is not None else path

    def create(self, given: dict[str, Any]) -> Share:
        conversation: Conversation = given["conversation"]
        share = conversation.create_share(with_name=given["with_name"])
        if share is None:
            raise serializers.ValidationError({"conversation": "Nothing was said in it yet. Ask something first."})
        return share
