"""Fill the message of a generation, in the transaction that stores its outcome, and the prompts that waited for it.

Not with HTML, which web processes render for those who look at it (`chat.ws.live_html`, `chat.pages.messages`). Here it
would prolong the transaction, and keep the worker's interpreter from passing on tokens of other answers.
"""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from chat.models import Message
from chat.turns.prompt import build_request
from inference.models import Generation
from inference.openai.request import ChatRequest
from inference.queue.outcome import Outcome, strip_nul
from jarvis.lib.api_errors import ApiError


def fill_messages(outcomes: Sequence[Outcome], **_: Any) -> None:
    """Receiver of `generations_ended`: the text of each answer that belongs to a conversation."""
    texts = {outcome.id: strip_nul(outcome.text) for outcome in outcomes}
    mine = Message.objects.filter(generation_id__in=texts).select_related("continues")
    messages = list(mine.only("id", "generation_id", "continues__text"))
    for message in messages:
        assert message.generation_id is not None
        message.text, message.html = message.prefix + texts[message.generation_id], ""
    if messages:
        Message.objects.bulk_update(messages, ["text", "html"])
        complete_prompts(texts)


def complete_prompts(ended: Collection[UUID]) -> None:
    """Build the requests anew of those that waited for these answers: they were accepted without their text."""
    waiting = Message.objects.filter(generation__in=Generation.objects.queued().filter(behind__in=ended))
    for answer in waiting.select_related("generation", "conversation", "parent", "continues"):
        row = answer.generation
        assert row is not None
        assert answer.parent is not None
        try:
            request = build_request(answer.conversation, answer.parent, row.model, answer.prefix)
        except ApiError as error:  # it is answered without that text, and nothing else is held up
            import structlog  # not needed by a process that only sets Django up

            structlog.get_logger(__name__).warning("prompt.incomplete", generation=str(row.pk), reason=error.message)
            continue
        assert row.request is not None
        limit = ChatRequest.from_row(row.request).max_tokens  # so much was reserved for it
        if limit is not None:
            request = ChatRequest.from_row(request).with_limit(limit).to_row()
        Generation.objects.queued().filter(pk=row.pk).update(request=request)
