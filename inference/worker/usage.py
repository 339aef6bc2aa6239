"""How many tokens a call has used, by the engine's own count where that can be believed."""

from inference.log.events import Usage
from inference.openai.engine_values import Counts
from inference.openai.request import ChatRequest
from inference.worker.context_window import estimate_prompt_tokens, max_prompt_tokens
from inference.worker.partial_answer import PartialAnswer

MAX_TEMPLATE_TOKENS = 100_000  # tokens that a server may put around the messages by itself


def count_usage(
    answer: PartialAnswer, request: ChatRequest, counts: Counts | None, is_continuation: bool, most_pieces: int
) -> Usage:
    """The engine's own count; of a continued answer the token ids, since each call counts only its own part.

    What the engine does not count, or counts in a way that cannot be, is counted by what came. The prompt of a call
    that ended before its first token is not counted by the engine, and not by us. `most_pieces`: more tokens than that
    cannot have been made.
    """
    ours = answer.count_usage()
    if is_continuation or (counts is None and (answer.prompt_ids or not ours.completion_tokens)):
        return ours
    counts = counts or Counts()
    made, prompt = counts.completion, counts.prompt
    if made is None or made > most_pieces:
        made = ours.completion_tokens
    if prompt is None or (
        prompt > MAX_TEMPLATE_TOKENS and prompt > MAX_TEMPLATE_TOKENS + max_prompt_tokens(request.messages)
    ):
        prompt = ours.prompt_tokens or estimate_prompt_tokens(request.messages)
    if not made:
        return Usage()
    reasoning = None if counts.reasoning is None else min(counts.reasoning, made)
    return Usage(prompt, made, min(counts.cached, prompt), reasoning)
