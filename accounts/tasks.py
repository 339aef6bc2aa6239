"""Housekeeping of accounts."""

from jarvis.celery import app
from django.core.management import call_command


@app.task
def clear_sessions() -> None:
    """Remove sessions that have expired."""
    call_command("clearsessions")
