"""`gpu_worker`: hold an engine and answer what is queued, until SIGTERM."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from inference.worker.process import SlotTaken, WorkerProcess
from jarvis.lib import logs


class Command(BaseCommand):
    help = "Hold the engine and answer what is queued. SIGTERM drains: what runs is finished or handed over."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--keep-engine",
            action="store_true",
            help="leave the engine running at the end, for the next worker to adopt",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        logs.set_up_logging("worker")
        try:
            WorkerProcess(keep_engine=options["keep_engine"]).run()
        except SlotTaken as error:
            raise CommandError(str(error)) from error
