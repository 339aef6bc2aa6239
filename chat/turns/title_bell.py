"""Tells Celery that there is something to do about titles, when an answer or a title has come."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from chat.models import Conversation
from chat.turns.title import gets_title
from inference.queue.outcome import Outcome
from inference.queue.submit import ring_doorbell_sync
from jarvis.lib.config import config

TITLES = "titles"  # the message


def ring_for_titles(outcomes: Sequence[Outcome], **_: Any) -> None:
    """Receiver of `generations_ended`. A ring that is lost is made up for by a schedule."""
    if config.titles != "auto":
        return
    ended = [outcome.id for outcome in outcomes]
    answered = Conversation.objects.without_owners_title().filter(titled_by=None, messages__generation__in=ended)
    found = Conversation.objects.without_owners_title().filter(titled_by__in=ended)
    if any(map(gets_title, answered.values_list("model", flat=True))) or found.exists():
        transaction.on_commit(partial(ring_doorbell_sync, TITLES), robust=True)
