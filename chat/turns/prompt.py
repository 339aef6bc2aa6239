"""The request for an answer: the system prompt, the messages that led to a question, the model and the temperature.

Each is the conversation's own, else its owner's, else the site's.
"""

from typing import Any

from accounts.authentication import Caller
from accounts.models import Preferences
from chat.models import Conversation, Message
from inference.models import find_model
from inference.openai.request import check_chat_request
from jarvis.lib.config import config

MAX_HISTORY_CHARS = 400_000  # of a conversation; the worker cuts it to the model's window, in tokens
MAX_HISTORY_MESSAGES = 4000  # a request may have few more


def get_preferences(user_id: int) -> Preferences:
    """A person's preferences, with defaults where none are stored."""
    return Preferences.objects.filter(user_id=user_id).first() or Preferences(user_id=user_id)


def choose_model(caller: Caller, wanted: str | None, current: str = "") -> str:
    """The wanted model, else the current one, else the person's, else the site's. Raises ApiError as `find_model`."""
    return find_model(caller, wanted, current, "" if wanted else get_preferences(caller.user_id).model)


def build_request(conversation: Conversation, question: Message, model: str, prefix: str = "") -> dict[str, Any]:
    """The OpenAI request for an answer to a question, with the newest messages; the answer continues `prefix`."""
    preferences = get_preferences(conversation.owner_id)
    system = conversation.system_prompt or preferences.system_prompt or config.system_prompt
    temperature = preferences.temperature if conversation.temperature is None else conversation.temperature
    messages: list[dict[str, Any]] = [{"role": "assistant", "content": prefix}] if prefix else []
    chars = len(system) + len(prefix)
    path = conversation.path(limit=MAX_HISTORY_MESSAGES, leaf=question.pk).with_text()
    for place, message in enumerate(path.values("role", "text").iterator(chunk_size=100)):
        chars += len(message["text"])
        if place and chars > MAX_HISTORY_CHARS:
            break
        messages.append({"role": message["role"], "content": message["text"]})
    if system:
        messages.append({"role": "system", "content": system})
    request = check_chat_request({"model": model, "messages": messages[::-1], "temperature": temperature})
    return (request.as_continuation() if prefix else request).to_row()
