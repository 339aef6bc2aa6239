"""The names of all keys and channels of Redis that Jarvis itself uses. Every key expires.

| key | type | what |
| --- | --- | --- |
| `jarvis:log:{generation}` | stream | the generation's log, see `inference.log.events` |
| `jarvis:wake:{process}` | stream | wakes a web process's reader when it has one more log to follow |
| `jarvis:worker:{name}` | string | a worker's state as JSON, gone when the worker is |
| `jarvis:ready:{model}` | string | there for a while after a worker could last say that its engine serves the model |
| `jarvis:workers` | set | names of the workers that have told a state lately |
| `jarvis:doorbell` | channel | "new work", or "stop this one", for all workers; "titles" for Celery |
| `jarvis:rate:{subject}:requests`, `:tokens` | hash | what somebody has used in the last minute, by second |
| `jarvis:open:{subject}` | hash | the calls that somebody has under way, and the tokens that each may take |
| `jarvis:used:{subject}:{month}` | hash | what somebody has used of a budget, learnt from Postgres |
| `jarvis:hold:{generation}` | string | what a call holds of limits until its end |
| `jarvis:holds` | sorted set | all such calls by the time when they are looked up, in case nobody told their end |
| `jarvis:holds:known` | string | gone when Redis has lost its data: the calls under way are then learnt from Postgres |
| `jarvis:ran` | hash | when each periodic task was last sent, so that of several beats one sends it |
"""

from datetime import datetime
from uuid import UUID

DOORBELL = "jarvis:doorbell"
WORKERS = "jarvis:workers"
RAN = "jarvis:ran"
HOLDS, HOLDS_KNOWN = "jarvis:holds", "jarvis:holds:known"


def worker_key(name: str) -> str:
    return f"jarvis:worker:{name}"


def ready_key(model: str) -> str:
    return f"jarvis:ready:{model}"


def log_key(generation: UUID) -> str:
    return f"jarvis:log:{generation}"


def wake_key(process: str) -> str:
    return f"jarvis:wake:{process}"


def hold_key(generation: UUID) -> str:
    return f"jarvis:hold:{generation}"


def rate_key(subject: str, what: str) -> str:
    """`what`: `requests` or `tokens`."""
    return f"jarvis:rate:{subject}:{what}"


def open_calls_key(subject: str) -> str:
    return f"jarvis:open:{subject}"


def budget_key(subject: str, month: datetime) -> str:
    return f"jarvis:used:{subject}:{month:%Y-%m}"
