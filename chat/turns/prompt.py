"""What a model is asked: the system prompt, what was said on the way to a question, and how it is to choose words.

Each is the conversation's own, else its owner's, else the site's.
"""

from typing import Any

from accounts.authentication import Caller
from accounts.models import Preferences
from chat.models import Conversation, Message
from inference.models import LanguageModel
from inference.openai.request import check_chat_request
from jarvis.lib import api_errors
from jarvis.lib.config import config

HISTORY_CHARS = 400_000  # of the conversation at most; the worker cuts it to the model's window, in tokens
HISTORY_MESSAGES = 4000  # at most; a request may hold few more


def preferences_of(user_id: int) -> Preferences:
    """A person's choices; one who has made none has chosen nothing."""
    return Preferences.objects.filter(user_id=user_id).first() or Preferences(user_id=user_id)


def model_for(caller: Caller, wanted: str | None) -> str:
    """The wanted model, else the person's, else the site's. Raises ApiError 404, or 503 where none has been loaded."""
    offered = list(LanguageModel.objects.offered(caller.models).values_list("name", flat=True))
    if wanted:
        if wanted not in offered:
            raise api_errors.model_not_found(wanted)
        return wanted
    if not offered:
        raise api_errors.model_loading("default")
    preferred = preferences_of(caller.user_id).model
    return preferred if preferred in offered else offered[0]


def request_of(conversation: Conversation, question: Message, model: str, begun: str = "") -> dict[str, Any]:
    """The OpenAI request for an answer to a question, newest messages kept; `begun`: the answer goes on with that."""
    preferences = preferences_of(conversation.owner_id)
    system = conversation.system_prompt or preferences.system_prompt or config.system_prompt
    temperature = preferences.temperature if conversation.temperature is None else conversation.temperature
    messages: list[dict[str, Any]] = [{"role": "assistant", "content": begun}] if begun else []
    chars = len(system) + len(begun)
    path = conversation.path(limit=HISTORY_MESSAGES, leaf=question.pk).said()
    for place, message in enumerate(path.values("role", "text").iterator(chunk_size=100)):
        chars += len(message["text"])
        if place and chars > HISTORY_CHARS:
            break
        messages.append({"role": message["role"], "content": message["text"]})
    if system:
        messages.append({"role": "system", "content": system})
    request = check_chat_request({"model": model, "messages": messages[::-1], "temperature": temperature})
    return (request.going_on() if begun else request).to_row()
