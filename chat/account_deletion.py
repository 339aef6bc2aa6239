"""Deleting an account: its owner's conversations and keys go, the figures of the ledger stay without a name."""

import time
from datetime import timedelta

import structlog
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts.authentication import SERVICE_PREFIX
from chat.models import Conversation
from inference.models import Generation, UsageDay
from inference.queue.submit import ring_doorbell_sync, stop_generations_sync
from inference.redis.client import UNAVAILABLE_ERRORS
from inference.redis.log import forget_logs_sync
from jarvis.lib.config import config

log = structlog.get_logger(__name__)

DELETED_USER = f"{SERVICE_PREFIX}deleted"  # the account, of nobody, that has the figures of all who left
MAX_STOP_SECONDS = 5.0  # seconds that running answers are given to stop, so that their tokens are in the ledger
CONVERSATIONS_PER_DELETE = 100  # conversations at a time


class LastAdministrator(Exception):
    """Nobody else could make accounts, or help people in."""


def is_only_administrator(user: User) -> bool:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    return user.is_superuser and not others.exists()


def delete_account(user: User) -> None:
    """Delete a person's account with all that is theirs, all or nothing. Raises LastAdministrator.

    Its sockets close and its keys stop within a second, as those of any inactive account. Running answers stop first:
    no transaction waits for an engine.
    """
    if is_only_administrator(user):
        raise LastAdministrator
    mine = Generation.objects.filter(owner=user)
    stop_generations(user.pk)
    heir, _ = User.objects.get_or_create(username=DELETED_USER, defaults={"is_active": False, "password": "!"})
    with transaction.atomic():
        UsageDay.objects.lock_days(
            {timezone.now().date(), *UsageDay.objects.for_user(user.pk).values_list("day", flat=True)}
        )
        lock_account(user)
        UsageDay.objects.transfer(user.pk, heir.pk)
        left = list(mine.open().values_list("id", flat=True))
        lately = timezone.now() - timedelta(seconds=config.log_seconds)
        logs = list(mine.filter(finished_at__gt=lately).values_list("id", flat=True))
        destroy_conversations(user.pk)
        mine.transfer_to(heir.pk)
        for session in UserSession.objects.filter(user=user):
            session.end()
        user.delete()
    ring_doorbell_sync(*(f"stop {id}" for id in left))
    try:
        forget_logs_sync(logs)
    except UNAVAILABLE_ERRORS as error:
        log.warning("redis.away", error=str(error))  # they expire


def lock_account(user: User) -> None:
    """Let nothing more be written in the account's name until the end of the transaction. Raises LastAdministrator.

    All administrators are locked in one order, so that of the last two who leave at the same moment one stays.
    """
    administrators = User.objects.filter(is_superuser=True, is_active=True).order_by("pk")
    there = {one.pk for one in administrators.select_for_update()} if user.is_superuser else set()
    User.objects.select_for_update().get(pk=user.pk)
    if there == {user.pk}:
        raise LastAdministrator


def stop_generations(user_id: int) -> None:
    """Stop what is queued or runs, and wait for it for a while."""
    running = Generation.objects.open().filter(owner_id=user_id)
    stop_generations_sync(list(running.values_list("id", flat=True)))
    until = time.monotonic() + MAX_STOP_SECONDS
    while running.exists() and time.monotonic() < until:
        time.sleep(0.05)


def destroy_conversations(user_id: int) -> None:
    """Also those that were deleted and could still be brought back."""
    mine = Conversation.objects.for_user_with_deleted(user_id)
    while chosen := list(mine.values_list("id", flat=True)[:CONVERSATIONS_PER_DELETE]):
        mine.filter(id__in=chosen).destroy()
