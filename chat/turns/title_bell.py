"""Tells Celery that there is something to do about titles, when an answer or a title has come."""

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from chat.models import Conversation
from inference.queue.outcome import Outcome
from jarvis.lib.config import config

TITLES = "titles"  # the message


def ring_for_titles(outcomes: Sequence[Outcome], **_: Any) -> None:
    """Receiver of `generations_ended`: looks and rings when that is stored, so that storing takes no longer for it."""
    if config.titles == "auto":
        transaction.on_commit(partial(ring_if_wanted, [outcome.id for outcome in outcomes]), robust=True)


def ring_if_wanted(ended: list[UUID]) -> None:
    """Ring where one of these generations was an answer without a title, or a title. A lost ring is made up for."""
    from chat.turns.title import gets_title  # not needed by a process that only sets Django up
    from inference.queue.submit import ring_doorbell_sync

    answered = Conversation.objects.without_owners_title().filter(titled_by=None, messages__generation__in=ended)
    titled = Conversation.objects.without_owners_title().filter(titled_by__in=ended)
    if any(map(gets_title, answered.values_list("model", flat=True))) or titled.exists():
        ring_doorbell_sync(TITLES)
