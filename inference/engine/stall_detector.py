"""Noticing an engine whose front still answers while the process behind it that computes stands still."""

FORGET_SECONDS = 30.0  # seconds after the last doubt; what was seen before that says nothing about a new one


class StallDetector:
    """Looks at what an engine counts, as often as somebody doubts that it still works.

    vLLM counts each step of its scheduler: tokens, requests, the share of its cache in use. Where answers are under way
    and none of it changes, it makes no steps.
    """

    def __init__(self) -> None:
        self.seen = ""
        self.since = self.last = float("-inf")

    def seconds_unchanged(self, page: str, now: float) -> float:
        """For how many seconds, as far as was looked, the page of metrics has told the same."""
        counted = "\n".join(line for line in page.splitlines() if line.startswith("vllm:"))
        if counted != self.seen or now - self.last > FORGET_SECONDS:
            self.seen, self.since = counted, now
        self.last = now
        return now - self.since
