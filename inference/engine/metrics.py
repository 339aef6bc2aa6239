"""The two things that Jarvis wants from vLLM's /metrics page."""

import contextlib
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Counters:
    """Tokens since the engine began, as it counts them, and requests that it runs and that wait in it."""

    prompt_tokens: int = 0
    generation_tokens: int = 0
    running: int = 0
    waiting: int = 0


METRIC_FIELDS = {
    "vllm:prompt_tokens_total": "prompt_tokens",
    "vllm:generation_tokens_total": "generation_tokens",
    "vllm:num_requests_running": "running",
    "vllm:num_requests_waiting": "waiting",
}


def parse_metrics(page: str) -> Counters:
    """Read a page in Prometheus's text format; several engines of one server are added up."""
    sums = dict.fromkeys(METRIC_FIELDS.values(), 0.0)
    for line in page.splitlines():
        if field := METRIC_FIELDS.get(line.partition("{")[0].partition(" ")[0]):
            with contextlib.suppress(ValueError):
                value = float(line.rpartition(" ")[2])
                sums[field] += value if math.isfinite(value) else 0.0
    return Counters(**{field: int(value) for field, value in sums.items()})
