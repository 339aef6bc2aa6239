"""Background work: `celery -A jarvis worker`, `celery -A jarvis beat`."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jarvis.settings")

import structlog
from celery import Celery, signals
from celery.schedules import crontab

from jarvis.lib import logs

app = Celery("jarvis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "clear sessions": {"task": "accounts.tasks.clear_sessions", "schedule": crontab(hour="4", minute="10")},
    "destroy what was deleted": {"task": "chat.tasks.destroy", "schedule": crontab(minute="20")},
    # A run that could not be made in time is not made up for: the next one does its work.
    "make titles": {"task": "chat.tasks.make_titles", "schedule": 2.0, "options": {"expires": 2}},
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
