"""Background work on conversations."""

from datetime import timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from accounts.authentication import build_caller
from chat import frames
from chat.models import Conversation
from chat.turns import title as titles
from chat.ws.connections import announce_frame_sync
from inference.models import Generation, LanguageModel
from inference.queue.submit import ring_doorbell_sync
from jarvis.celery import app
from jarvis.lib.config import config

CONVERSATIONS_PER_TRANSACTION = 100  # conversations in one transaction
TITLES_PER_RUN = 10

log = structlog.get_logger(__name__)


@app.task
def destroy() -> int:
    """Delete for good what was deleted a day ago; how many that was."""
    count = 0
    while chosen := list(
        Conversation.objects.past_restore().values_list("id", flat=True)[:CONVERSATIONS_PER_TRANSACTION]
    ):
        # Asked again, since one of them may have been restored meanwhile.
        count += Conversation.objects.past_restore().filter(id__in=chosen).destroy().get("chat.Conversation", 0)
    return count


@app.task
def forget_old() -> int:
    """Delete conversations in which nothing was said for as long as the site keeps them; how many that was.

    Pinned, archived and shared ones are no exception: who sets a time for what people say means all. Figures stay.
    """
    if not config.retention_conversations_days:
        return 0
    old = Conversation.objects.silent_since(timezone.now() - timedelta(days=config.retention_conversations_days))
    count = 0
    while chosen := dict(old.values_list("id", "owner_id")[:CONVERSATIONS_PER_TRANSACTION]):
        # Asked again, under a lock: in one of them something may have been said meanwhile.
        count += old.filter(id__in=chosen).destroy().get("chat.Conversation", 0)
        for owner_id in set(chosen.values()):
            announce_frame_sync(owner_id, frames.encode_frame(frames.Changed()))
    return count


@app.task
def make_titles() -> int:
    """Give titles that the model has found, and ask for those of new conversations; how many were given.

    All that it knows is in rows, so it may be killed anywhere and run by two at once: each conversation is claimed by
    the row that is to make its title, and each title is given once.
    """
    given = sum(give_title(conversation) for conversation in Conversation.objects.with_ready_title())
    ask_titles()
    return given


def give_title(conversation: Conversation) -> bool:
    assert conversation.titled_by is not None
    title = titles.clean_title(conversation.titled_by.text)
    source = Conversation.TitleSource
    # Where none was found the first words stay, and count as the model's choice: it is not asked again.
    new = {"title": title} if title else {}
    mine = Conversation.objects.filter(pk=conversation.pk, title_source=source.WORDS)  # not renamed meanwhile
    if not mine.update(title_source=source.MODEL, **new) or not title:
        return False
    conversation.title = title
    announce_frame_sync(conversation.owner_id, frames.encode_frame(frames.make_changed(conversation)))
    return True


def ask_titles() -> None:
    """Ask for titles, of what waits for one, where nobody else waits for the model."""
    if Generation.objects.queued().exists():
        return
    offered = [
        name for name in LanguageModel.objects.offered().values_list("name", flat=True) if titles.gets_title(name)
    ]
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
            request=titles.build_title_request(conversation),
        )
        if Conversation.objects.filter(pk=conversation.pk, titled_by=None).update(titled_by=row):
            return True
        transaction.set_rollback(True)
    return False
