"""Housekeeping of generations."""

from django.utils import timezone

from inference.entries import Problem
from inference.models import MAX_ATTEMPTS, Generation, LanguageModel
from inference.outcome import Outcome, store
from jarvis.celery import app

LOST = Problem("engine_error", "Every worker that took this on ended before it was answered. Ask again.")
GONE = Problem("model_not_found", "The model was taken out of service before it came to this. Ask another one.")


@app.task
def give_up() -> int:
    """Fail what no worker will take on any more, so that nobody waits for it; how many that was."""
    lost = Generation.objects.filter(
        status=Generation.Status.RUNNING, lease_until__lt=timezone.now(), attempt__gte=MAX_ATTEMPTS
    )
    gone = Generation.objects.queued().exclude(model__in=LanguageModel.objects.offered().values("name"))
    failed = Generation.Status.FAILED.value
    outcomes = [
        Outcome(row.id, row.attempt, failed, finish_reason="error", problem=problem)
        for rows, problem in ((lost, LOST), (gone, GONE))
        for row in rows
    ]
    return len(store(outcomes)) if outcomes else 0
