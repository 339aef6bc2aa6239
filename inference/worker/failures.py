"""What is told of a call that failed."""

import structlog

from inference.log.events import Problem
from inference.models import Generation
from inference.openai.engine_values import UnreadableEvent
from inference.worker.engine_call import EngineLost, RequestRefused
from jarvis.lib import api_errors

log = structlog.get_logger(__name__)


class WorkerEnded(Exception):
    """A worker ended with this request while there was nothing else that could have ended it."""


def explain_failure(row: Generation, error: BaseException) -> Problem:
    """What the owner of a call is told of the error that ended it."""
    match error:
        case RequestRefused(problem=problem):
            return problem
        case UnreadableEvent():
            log.warning("engine.unreadable", generation=str(row.id), reason=str(error))
            failure = api_errors.engine_error(f"The engine gave an answer that cannot be read: {error}.")
        case EngineLost():
            failure = api_errors.engine_error("The engine broke off twice while it made this answer.")
        case WorkerEnded():
            failure = api_errors.engine_error("Every worker that took this on ended at it.")
        case _:
            log.error("relay.died", generation=str(row.id), exc_info=error)
            failure = api_errors.internal_error()
    return Problem(failure.code, failure.message, failure.param)
