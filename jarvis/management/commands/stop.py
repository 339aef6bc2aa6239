"""`manage.py stop`: the end of what `manage.py run` started in this folder."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jarvis.launch.errors import LaunchError
from jarvis.launch.stop import stop_instance
from jarvis.lib.config import config


class Command(BaseCommand):
    help = "Stop the Jarvis of this folder in order, also what is left of one that was killed."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--now", action="store_true", help="do not wait for answers under way")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            stop_instance(config, self.stdout.write, now=options["now"])
        except LaunchError as error:
            sys.exit(f"{error}.")
