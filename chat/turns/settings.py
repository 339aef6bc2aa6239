"""The settings of a conversation, the version of it that is shown, and the figures of an answer."""

from uuid import UUID

import msgspec

from accounts.authentication import Caller
from accounts.models import Scope
from chat import frames
from chat.models import Conversation, Message
from chat.turns.prompt import choose_model
from inference.models import Generation
from jarvis.lib import api_errors
from jarvis.lib.timestamps import iso


def show_version(user_id: int, message: int) -> frames.Shown:
    """Show a version of a message from now on, with what came after it last. Raises ApiError 404."""
    chosen = Message.objects.for_user(user_id).filter(pk=message).first()
    leaf = chosen.newest_below() if chosen is not None else 0
    if chosen is None or not Conversation.objects.for_user(user_id).filter(pk=chosen.conversation_id).update(leaf=leaf):
        raise api_errors.make_error(404, "not_found", "There is no such message, or it is not yours.")
    return frames.Shown(chosen.conversation_id, leaf)


def configure_conversation(caller: Caller, wanted: frames.Configure) -> frames.Configured:
    """Set what the frame names. Raises ApiError 404 for a conversation or a model that the person does not have."""
    conversation = Conversation.objects.for_user(caller.user_id).filter(pk=wanted.conversation).first()
    if conversation is None:
        raise api_errors.make_error(404, "conversation_not_found", "There is no such conversation, or it is not yours.")
    changed = []
    for name in ("model", "system_prompt", "temperature"):
        value = getattr(wanted, name)
        if value is not msgspec.UNSET:
            setattr(conversation, name, choose_model(caller, value) if name == "model" else value)
            changed.append(name)
    if changed:
        conversation.save(update_fields=changed)
    return frames.Configured(conversation.pk, conversation.model, conversation.system_prompt, conversation.temperature)


def answer_details(caller: Caller, generation: UUID) -> frames.Detailed | None:
    """The figures of an answer of one's own, else None."""
    row = Generation.objects.filter(pk=generation, owner_id=caller.user_id).first()
    if row is None:
        return None
    return frames.Detailed(
        generation=row.pk,
        model=row.model,
        status=row.status,
        asked_at=iso(row.created_at),
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        cached_tokens=row.cached_tokens,
        queue_seconds=row.seconds_to(row.started_at),
        first_token_seconds=row.seconds_to(row.first_token_at),
        seconds=row.seconds_to(row.finished_at),
        tokens_per_second=row.tokens_per_second,
        temperature=((row.request or {}).get("fields") or {}).get("temperature"),
        request_id=row.request_id,
        error_code=row.error_code,
        error=row.error_message if caller.has_scope(Scope.ADMIN_READ) else "",
    )
