"""When a generation's outcome is stored, its message is filled in the same transaction.

Not with HTML: that is computed where somebody looks at it, in the web processes (`chat.ws.live_html`,
`chat.pages.messages`). Here it would hold a transaction, and the interpreter of the worker, from which all answers
that grow get their tokens.
"""

from collections.abc import Sequence
from typing import Any

from chat.models import Message
from inference.queue.outcome import Outcome, strip_nul


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
