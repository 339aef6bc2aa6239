"""Rows of the queue in any state, and a claim of them."""

from datetime import timedelta

from django.utils import timezone

from inference.models import Generation

LEASE = timedelta(seconds=6)


queue = Generation.objects


def queued(owner, **fields):
    given = {"model": "fake", "door": "v1", "request_id": "r", "request": {}, "created_at": timezone.now()}
    return queue.create(owner=owner, **given | fields)


def running(owner, worker="w", lease=LEASE, **fields):
    given = {"status": "running", "worker": worker, "attempt": 1, "lease_until": timezone.now() + lease}
    return queued(owner, **given | fields)


def expired(owner, **fields):
    return running(owner, lease=-LEASE, **fields)


def claim(limit, worker="w", models=("fake",)):
    return {row.id for row in queue.claim(worker, list(models), limit, LEASE)}
