"""Fill the message of a generation, in the transaction that stores its outcome.

Not with HTML, which web processes render for those who look at it (`chat.ws.live_html`, `chat.pages.messages`). Here it
would prolong the transaction, and keep the worker's interpreter from passing on tokens of other answers.
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
