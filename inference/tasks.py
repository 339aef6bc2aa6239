"""Housekeeping of generations."""

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from inference.log.events import Problem
from inference.models import MAX_ATTEMPTS, Generation, LanguageModel, UsageDay
from inference.queue.outcome import Outcome, store_outcomes
from jarvis.lib.config import config

ROWS_PER_TRANSACTION = 1000  # rows that are emptied in one transaction

LOST_PROBLEM = Problem("engine_error", "Every worker that took this on ended before it was answered. Ask again.")
MODEL_GONE_PROBLEM = Problem(
    "model_not_found", "The model was taken out of service before it came to this. Ask another one."
)


@shared_task
def give_up() -> int:
    """Fail what no worker will take on any more, so that nobody waits for it; how many that was."""
    lost = Generation.objects.filter(
        status=Generation.Status.RUNNING, lease_until__lt=timezone.now(), attempt__gte=MAX_ATTEMPTS
    )
    gone = Generation.objects.queued().exclude(model__in=LanguageModel.objects.offered().values("name"))
    failed = Generation.Status.FAILED.value
    outcomes = [
        Outcome(row.id, row.attempt, failed, finish_reason="error", problem=problem)
        for rows, problem in ((lost, LOST_PROBLEM), (gone, MODEL_GONE_PROBLEM))
        for row in rows
    ]
    return len(store_outcomes(outcomes)) if outcomes else 0


@shared_task
def roll_up(days: int = 2) -> int:
    """Bring the usage of the last days up to the ledger; how many days were made again."""
    since = timezone.now().date() - timedelta(days=days - 1)
    found = UsageDay.objects.find_stale_days(since)
    for day in found:
        UsageDay.objects.roll_up(day)
    return len(found)


@shared_task
def forget_old() -> int:
    """Empty the rows of old calls that belong to no conversation of what was said; how many. Figures stay.

    What was said in a conversation is its owner's to delete.
    """
    if not config.retention_days:
        return 0
    before = timezone.now() - timedelta(days=config.retention_days)
    old, forgotten = Generation.objects.with_content().filter(finished_at__lt=before, message=None), 0
    while ids := list(old.values_list("id", flat=True)[:ROWS_PER_TRANSACTION]):
        forgotten += Generation.objects.filter(id__in=ids).forget_content()
    return forgotten
