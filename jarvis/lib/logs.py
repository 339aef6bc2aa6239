"""Structured logs: one line per event, JSON or readable, with the request id that follows a call everywhere."""

import logging
import logging.config
import sys
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from jarvis.lib.config import config
from jarvis.lib.request_id import loggable_path

QUIET_LOGGERS = (
    "aiohttp.access",
    "asyncio",
    "daphne",
    "uvicorn.access",
    "django.channels.server",
    "httpx",
    "granian.access",
)


def to_json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def short_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Errors of servers that are away go over many lines; the first says it."""
    if isinstance(error := event.get("error"), str):
        event["error"] = error.partition("\n")[0][:300]
    return event


def without_links(record: logging.LogRecord) -> bool:
    """A filter that hides secret links in the lines that Django writes about requests."""
    request = getattr(record, "request", None)
    if request is not None and isinstance(record.args, tuple):
        record.args = tuple(loggable_path(request) if arg == request.path else arg for arg in record.args)
    return True


def without_blame(record: logging.LogRecord) -> bool:
    """A filter that makes a line of what Django tells of odd requests, such as one for a host that is not served: the
    fault is the client's, and where it was noticed is no news."""
    if record.name.startswith("django.security"):
        record.exc_info, record.exc_text = None, None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def set_up_logging(process: str, *, stream: Any = None) -> None:
    """Send all logs of this process to one stream (stderr). `process`: web, worker, celery, … as each line says."""
    stream = stream or sys.stderr
    readable = config.log_format == "text" or (config.log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        short_error,
    ]
    end: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=to_json)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(config.log_level)),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *end]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(without_links)
    handler.addFilter(without_blame)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(config.log_level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(process=process)
