"""Asking: one transaction writes the question, the empty answer and the generation that will fill it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.authentication import Caller
from chat import frames
from chat.models import Conversation, Message
from chat.sockets import announce
from inference.models import Generation, LanguageModel
from inference.openai import errors
from inference.openai.request import check_chat_request
from inference.submit import check_queue, ring
from jarvis.config import config
from jarvis.database import in_database

HISTORY_CHARS = 400_000  # of the conversation at most; the worker cuts it to the model's window, in tokens


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking made. `new` is False where the same question had been accepted before."""

    conversation: Conversation
    question: Message
    answer: Message
    generation: Generation
    new: bool = True

    def told(self) -> frames.Conversation:
        """What the person's open windows are told of it."""
        return frames.Conversation(
            self.conversation.id,
            self.conversation.title,
            self.question.pk,
            self.answer.pk,
            self.generation.id,
            self.question.text,
            self.question.client_key,
        )


async def ask(
    caller: Caller,
    text: str,
    *,
    door: str,
    request_id: str,
    conversation: UUID | None = None,
    model: str | None = None,
    client_key: UUID | None = None,
) -> Asked:
    """Accept a question and queue it. Raises ApiError 400 and 404, QueueFull, and database errors."""
    check_text(text)
    asked = await in_database(accept, caller, text, door, request_id, conversation, model, client_key)
    if asked.new:
        await ring()
        await announce(caller.user_id, frames.encode(asked.told()))
    return asked


def check_text(text: str) -> None:
    if not text.strip():
        raise errors.invalid_request("The message is blank. Write something.", "message")
    if len(text) > config.max_message_chars:
        fault = f"The message has {len(text)} characters; {config.max_message_chars} are allowed. Shorten it."
        raise errors.invalid_request(fault, "message")
    if "\x00" in text:
        raise errors.invalid_request("The message has a NUL character. Remove it.", "message")


def accept(
    caller: Caller,
    text: str,
    door: str,
    request_id: str,
    conversation_id: UUID | None,
    model: str | None,
    client_key: UUID | None,
) -> Asked:
    with transaction.atomic():
        if client_key is not None:
            one_at_a_time(client_key)
            if before := asked_before(caller, client_key):
                return before
        check_queue()
        conversation = opened(caller, conversation_id, text, model)
        question = conversation.messages.create(role=Message.Role.USER, text=text, client_key=client_key)
        generation = Generation.objects.create(
            owner_id=caller.user_id,
            key_id=caller.key_id,
            model=conversation.model or model_name(model),
            door=door,
            request_id=request_id,
            request=request_of(conversation, conversation.model or model_name(model)),
        )
        answer = conversation.messages.create(role=Message.Role.ASSISTANT, generation=generation)
        Conversation.objects.filter(pk=conversation.pk).update(updated_at=timezone.now())
    return Asked(conversation, question, answer, generation)


def one_at_a_time(client_key: UUID) -> None:
    """Wait for a transaction that is asking the same: a page that was cut off sends its question again at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(client_key.bytes[:8], signed=True)])


def asked_before(caller: Caller, client_key: UUID) -> Asked | None:
    question = Message.objects.of(caller.user_id).filter(client_key=client_key).select_related("conversation").first()
    if question is None:
        return None
    following = question.conversation.messages.filter(id__gt=question.id).exclude(generation=None)
    answer = following.select_related("generation").earliest("id")
    assert answer.generation is not None
    return Asked(question.conversation, question, answer, answer.generation, new=False)


def opened(caller: Caller, id: UUID | None, text: str, model: str | None) -> Conversation:
    if id is None:
        chosen = model_name(model)
        return Conversation.objects.create(owner_id=caller.user_id, title=Conversation.title_from(text), model=chosen)
    conversation = Conversation.objects.of(caller.user_id).filter(id=id).first()
    if conversation is None:
        raise errors.make(404, "conversation_not_found", "There is no such conversation. Leave it out to begin one.")
    offered = LanguageModel.objects.offered()
    if model or not offered.filter(name=conversation.model).exists():
        conversation.model = model_name(model)
        conversation.save(update_fields=["model"])
    return conversation


def model_name(wanted: str | None) -> str:
    """The wanted model, or the default one. Raises ApiError 404, or 503 where no model has been loaded yet."""
    offered = LanguageModel.objects.offered()
    if wanted:
        if not offered.filter(name=wanted).exists():
            raise errors.model_not_found(wanted)
        return wanted
    first = offered.first()
    if first is None:
        raise errors.model_loading("default")
    return first.name


def request_of(conversation: Conversation, model: str) -> dict[str, Any]:
    """The OpenAI request that the conversation makes now: its system prompt and what was said, newest kept."""
    system = conversation.system_prompt or config.system_prompt
    messages: list[dict[str, Any]] = []
    chars = len(system)
    for message in conversation.messages.said().order_by("-id").values("role", "text").iterator(chunk_size=100):
        chars += len(message["text"])
        if messages and chars > HISTORY_CHARS:
            break
        messages.append({"role": message["role"], "content": message["text"]})
    if system:
        messages.append({"role": "system", "content": system})
    return check_chat_request({"model": model, "messages": messages[::-1]}).to_row()
