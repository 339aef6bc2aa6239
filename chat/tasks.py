"""Background work on conversations."""

import time
from datetime import timedelta

import structlog
from celery import shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.authentication import build_caller
from chat.frames import Changed
from chat.models import Conversation
from chat.notify import announce_change, announce_frame_sync
from chat.search.index import forget_unused_words, index_new_texts
from chat.turns.title import build_title_request, gets_title
from chat.turns.title_bell import TITLES
from chat.turns.title_text import clean_title
from inference.models import Generation, LanguageModel
from inference.queue.submit import ring_doorbell_sync
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.workers import hear_rings_sync
from jarvis.lib.config import config

CONVERSATIONS_PER_TRANSACTION = 100  # conversations in one transaction
TITLES_PER_RUN = 10
TITLES_EXPIRE_SECONDS = 60
MIN_RING_SECONDS = 1.0  # between two runs; what rings meanwhile is one
RETRY_SECONDS = 2.0  # after which Redis is tried again
SECONDS_PER_INDEXING = 15.0  # of every twenty, where there is much to index

log = structlog.get_logger(__name__)


@shared_task
def destroy() -> int:
    """Delete for good what was deleted a day ago; how many that was."""
    count = 0
    owners: set[int] = set()
    while chosen := dict(
        Conversation.objects.past_restore().values_list("id", "owner_id")[:CONVERSATIONS_PER_TRANSACTION]
    ):
        # Filtered again, since one of them may have been restored meanwhile.
        count += Conversation.objects.past_restore().filter(id__in=chosen).destroy().get("chat.Conversation", 0)
        owners.update(chosen.values())
    forget_unused_words(owners)
    return count


@shared_task
def forget_old() -> int:
    """Delete conversations whose last message is older than the site keeps them; how many that was.

    Pinned, archived and shared ones too: a retention time is meant for all content. The figures of the ledger stay.
    """
    if not config.retention_conversations_days:
        return 0
    old = Conversation.objects.silent_since(timezone.now() - timedelta(days=config.retention_conversations_days))
    count = 0
    owners: set[int] = set()
    while chosen := dict(old.values_list("id", "owner_id")[:CONVERSATIONS_PER_TRANSACTION]):
        # Filtered again, under a lock: one of them may have got a message meanwhile.
        count += old.filter(id__in=chosen).destroy().get("chat.Conversation", 0)
        for owner_id in set(chosen.values()):
            announce_frame_sync(owner_id, Changed())
        owners.update(chosen.values())
    forget_unused_words(owners)
    return count


@shared_task
def index_texts() -> int:
    """Make what was said findable; how many texts that was. Whoever searches does the same for their own."""
    return index_new_texts(seconds=SECONDS_PER_INDEXING)


@shared_task
def make_titles() -> int:
    """Give titles that the model has found, and ask for those of new conversations; how many were given.

    All that it knows is in rows, so it may be killed anywhere and run by two at once: each conversation is claimed by
    the row that is to make its title, and each title is given once.
    """
    given = sum(give_title(conversation) for conversation in Conversation.objects.with_ready_title())
    ask_titles()
    return given


def make_titles_on_rings() -> None:
    """Queue `make_titles` whenever an answer or a title has come, for ever: a thread of the worker of Celery."""
    was_away = False
    while True:
        try:
            for _ in hear_rings_sync(TITLES):
                make_titles.apply_async(expires=TITLES_EXPIRE_SECONDS, retry=False)
                was_away = False
                time.sleep(MIN_RING_SECONDS)
        except (*UNAVAILABLE_ERRORS, OperationalError) as error:
            if not was_away:
                log.warning("redis.away", error=str(error))
            was_away = True
        time.sleep(RETRY_SECONDS)


def give_title(conversation: Conversation) -> bool:
    assert conversation.titled_by is not None
    title = clean_title(conversation.titled_by.text)
    source = Conversation.TitleSource
    # Where none was found the first words stay, and count as the model's choice: it is not asked again.
    new = {"title": title} if title else {}
    mine = Conversation.objects.filter(pk=conversation.pk, title_source=source.WORDS)  # not renamed meanwhile
    if not mine.update(title_source=source.MODEL, **new) or not title:
        return False
    conversation.title = title
    announce_change(conversation)
    return True


def ask_titles() -> None:
    """Ask for titles, of what waits for one, where nobody else waits for the model."""
    if Generation.objects.queued().exists():
        return
    offered = [name for name in LanguageModel.objects.offered().values_list("name", flat=True) if gets_title(name)]
    untitled = Conversation.objects.without_title().filter(model__in=offered).order_by("-updated_at")[:TITLES_PER_RUN]
    asked = [ask_title(conversation) for conversation in untitled]
    if any(asked):
        ring_doorbell_sync("work")


def ask_title(conversation: Conversation) -> bool:
    """Queue the generation that makes a title, unless somebody has: one row claims the conversation."""
    if not build_caller(conversation.owner).can_use_model(conversation.model):  # any more: its first words stay
        untitled = Conversation.objects.filter(pk=conversation.pk, title_source=Conversation.TitleSource.WORDS)
        untitled.update(title_source=Conversation.TitleSource.MODEL)
        return False
    with transaction.atomic():
        row = Generation.objects.create(
            owner_id=conversation.owner_id,
            model=conversation.model,
            door="title",
            request_id=conversation.pk.hex[:24],
            request=build_title_request(conversation),
        )
        if Conversation.objects.filter(pk=conversation.pk, titled_by=None).update(titled_by=row):
            return True
        transaction.set_rollback(True)
    return False
