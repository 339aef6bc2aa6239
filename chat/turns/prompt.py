"""The request for an answer: the system prompt, the messages that led to a question, the model and the temperature.

Each is the conversation's own, else its owner's, else the site's.
"""

from collections.abc import Iterable
from typing import Any

from accounts.authentication import Caller
from accounts.models import Preferences
from chat.models import Conversation, Message
from inference.models import find_model
from inference.openai.request import check_chat_request
from jarvis.lib.config import config

MAX_HISTORY_CHARS = 400_000  # of a conversation; the worker cuts it to the model's window, in tokens
MAX_HISTORY_MESSAGES = 4000  # a request may have few more

Turn = tuple[str, str]  # role and text


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
    messages = [("system", system)] if system else []
    messages += arrange_turns(select_history(conversation, question, MAX_HISTORY_CHARS - len(system) - len(prefix)))
    if prefix:
        messages.append(("assistant", prefix))
    said = [{"role": role, "content": text} for role, text in messages]
    request = check_chat_request({"model": model, "messages": said, "temperature": temperature})
    return (request.as_continuation() if prefix else request).to_row()


def select_history(conversation: Conversation, question: Message, room: int) -> list[Turn]:
    """The question and what led to it, oldest first: as much as has room, in characters, and the question always."""
    path = conversation.path(limit=MAX_HISTORY_MESSAGES, leaf=question.pk).with_text().values_list("role", "text")
    turns: list[Turn] = []
    for role, text in path.iterator(chunk_size=100):
        room -= len(text)
        if turns and room < 0:
            break
        turns.append((role, text))
    return turns[::-1]


def arrange_turns(turns: Iterable[Turn]) -> list[Turn]:
    """The same in turns that alternate, a question first, as the templates of many models demand.

    Where an answer failed or was left out, the questions around it become one. Blank texts are no turns.
    """
    arranged: list[Turn] = []
    for role, text in turns:
        if not text.strip() or (not arranged and role != Message.Role.USER):
            continue
        if arranged and arranged[-1][0] == role:
            arranged[-1] = (role, f"{arranged[-1][1]}\n\n{text}")
        else:
            arranged.append((role, text))
    return arranged
