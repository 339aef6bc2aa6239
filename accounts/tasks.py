"""Housekeeping of accounts."""

from django.core.management import call_command

from jarvis.celery import app


@app.task
def clear_sessions() -> None:
    """Remove sessions that have expired."""
    call_command("clearsessions")
