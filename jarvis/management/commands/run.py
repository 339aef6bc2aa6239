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
        parser.add_argument(
            "--accept-key", action="store_true", help="go on with a new secret key; the old one is lost"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            kinds = {name: options[name] for name in ("services_only", "dev", "accept_key")}
            asyncio.run(self._run(**kinds))
        except LaunchError as error:
            sys.exit(f"Jarvis cannot start. {error}.")
        except OSError as error:
            place = error.filename or config.var
            sys.exit(f"Jarvis cannot start. {error.strerror}: {place}. Mend that, or set JARVIS_VAR to another folder.")
        except KeyboardInterrupt:
            sys.exit(130)

    async def _run(self, **kinds: bool) -> None:
        settings = config.model_copy(update=DEV) if kinds["dev"] else config
        await Instance(settings, Display()).run(**kinds)
