"""Housekeeping of generations."""

from django.utils import timezone

from inference.entries import Problem
from inference.models import MAX_ATTEMPTS, Generation
from inference.outcome import Outcome, store
from jarvis.celery import app


@app.task
def give_up() -> int:
    """Fail what has lost its worker too often to be tried again, so that nobody waits for it; how many that was."""
    hopeless = Generation.objects.filter(
        status=Generation.Status.RUNNING, lease_until__lt=timezone.now(), attempt__gte=MAX_ATTEMPTS
    )
    problem = Problem("engine_error", "Every worker that took this on ended before it was answered. Ask again.")
    failed = Generation.Status.FAILED.value
    outcomes = [Outcome(row.id, row.attempt, failed, finish_reason="error", problem=problem) for row in hopeless]
    return len(store(outcomes)) if outcomes else 0
