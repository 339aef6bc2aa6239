"""Background work: `celery -A jarvis worker`, `celery -A jarvis beat`."""

import os
import threading
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jarvis.settings")

import structlog
from celery import Celery, signals
from celery.schedules import crontab

from jarvis.lib import logs

app = Celery("jarvis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_scheduler = "jarvis.beat:SharedScheduler"
app.conf.beat_schedule = {
    "clear sessions": {"task": "accounts.tasks.clear_sessions", "schedule": crontab(hour="4", minute="10")},
    "destroy what was deleted": {"task": "chat.tasks.destroy", "schedule": crontab(minute="20")},
    # For rings that were lost, and titles that waited for a free model: see `hear_title_bell`.
    "make titles": {"task": "chat.tasks.make_titles", "schedule": 120.0, "options": {"expires": 60}},
    # A search looks at its searcher's new texts by itself; this is for what nobody has looked for yet.
    "index what was said": {"task": "chat.tasks.index_texts", "schedule": 20.0, "options": {"expires": 20}},
    "give up what nobody can finish": {"task": "inference.tasks.give_up", "schedule": 60.0},
    "bring usage up to date": {"task": "inference.tasks.roll_up", "schedule": 60.0},
    "look for late usage": {
        "task": "inference.tasks.roll_up",
        "schedule": crontab(hour="3", minute="20"),
        "kwargs": {"days": 400},
    },
    "forget old calls": {"task": "inference.tasks.forget_old", "schedule": crontab(hour="3", minute="40")},
    "forget old conversations": {"task": "chat.tasks.forget_old", "schedule": crontab(hour="3", minute="50")},
}


@signals.setup_logging.connect
def set_up_logging(**_: Any) -> None:
    logs.set_up_logging("celery")


@signals.worker_ready.connect
def hear_title_bell(**_: Any) -> None:
    from chat.tasks import make_titles_on_rings

    threading.Thread(target=make_titles_on_rings, name="title bell", daemon=True).start()


@signals.before_task_publish.connect
def carry_request_id(headers: dict[str, Any], **_: Any) -> None:
    if id := structlog.contextvars.get_contextvars().get("request_id"):
        headers["jarvis_request_id"] = id


@signals.task_prerun.connect
def take_request_id(task: Any, task_id: str, **_: Any) -> None:
    given = getattr(task.request, "jarvis_request_id", None) or (task.request.headers or {}).get("jarvis_request_id")
    structlog.contextvars.bind_contextvars(task=task.name, request_id=given or task_id)


@signals.task_postrun.connect
def drop_request_id(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "request_id")
