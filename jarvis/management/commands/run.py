"""`manage.py run`: all of Jarvis from one command."""

import asyncio
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jarvis.launch.display import Display
from jarvis.launch.errors import LaunchError
from jarvis.launch.run import Instance
from jarvis.lib.config import config

# One process is enough to follow, only uvicorn is reloaded, and debug pages are nothing for the network.
DEV = {"web_processes": 1, "web_server": "uvicorn", "web_host": "127.0.0.1"}


class Command(BaseCommand):
    help = "Start everything: Postgres and Redis (unless given), web, worker and Celery. Ctrl-C stops it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--services-only", action="store_true", help="only Postgres and Redis")
        parser.add_argument("--dev", action="store_true", help="start anew when code changes; show errors")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            asyncio.run(self._run(services_only=options["services_only"], dev=options["dev"]))
        except LaunchError as error:
            sys.exit(f"Jarvis cannot start. {error}.")
        except OSError as error:
            place = error.filename or config.var
            sys.exit(f"Jarvis cannot start. {error.strerror}: {place}. Mend that, or set JARVIS_VAR to another folder.")
        except KeyboardInterrupt:
            sys.exit(130)

    async def _run(self, *, services_only: bool, dev: bool) -> None:
        settings = config.model_copy(update=DEV) if dev else config
        await Instance(settings, Display()).run(services_only=services_only, dev=dev)
