"""Whether a question may be asked, and whether an answer can be continued. Each raises ApiError where not."""

from accounts.authentication import Caller
from chat.models import Message
from inference.models import Generation, LanguageModel, find_model
from jarvis.lib import api_errors
from jarvis.lib.config import config

CONTINUABLE_STATUSES = (Generation.Status.STOPPED, Generation.Status.FAILED)


def check_text(text: str) -> None:
    if not text.strip():
        raise api_errors.invalid_request("The message is blank. Write something.", "message")
    if len(text) > config.max_message_chars:
        fault = f"The message has {len(text)} characters; {config.max_message_chars} are allowed. Shorten it."
        raise api_errors.invalid_request(fault, "message")
    if "\x00" in text:
        raise api_errors.invalid_request("The message has a NUL character. Remove it.", "message")


def check_continuable(caller: Caller, answer: Message) -> str:
    """The model that continues an answer. Raises ApiError where none can, with advice on what to do instead."""
    row = answer.generation
    advice = "Ask for another answer instead."
    if row is None or not (row.status in CONTINUABLE_STATUSES or row.finish_reason == "length"):
        raise api_errors.make_error(400, "cannot_continue", f"This answer has come to its own end. {advice}")
    if not answer.text.strip():
        raise api_errors.make_error(
            400, "cannot_continue", f"This answer has no text that could be continued. {advice}"
        )
    if not answer.is_last:
        raise api_errors.make_error(
            400, "cannot_continue", "Only the last answer can be continued. Ask for the rest of it."
        )
    model = find_model(caller, row.model)
    if not LanguageModel.objects.filter(name=model, goes_on=True).exists():
        fault = f"`{model}` cannot do this: its server cannot go on with a text that was begun. {advice}"
        raise api_errors.make_error(400, "cannot_continue", fault)
    return model
