"""Titles that the model writes from the first question and answer: the request, and the title in its answer."""

import re
from typing import Any

from chat.models import Conversation, Message
from inference.openai.request import check_chat_request
from jarvis.lib.config import config

MODELS_WITHOUT_TITLES = ("guide",)  # models that are too small to find titles
MAX_TITLE_TOKENS = 32
MAX_READ_CHARS = 1500  # of the question and of its answer
MAX_TITLE_CHARS = 80  # characters of a title
TITLE_PROMPT = (
    "Write a title for the conversation below: two to six words, in the language of the question, "
    "without quotation marks, without a full stop at its end. Answer with the title alone."
)
THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
LABEL = re.compile(r"(?i)^(title|título|titulo)\s*:\s*")
STRIPPED_CHARS = " \t\"'`*_#«»“”‘’.:"


def gets_title(model: str) -> bool:
    """Whether a model is asked for titles."""
    return config.titles == "auto" and model not in MODELS_WITHOUT_TITLES


def build_title_request(conversation: Conversation) -> dict[str, Any]:
    """The OpenAI request for a title, of a conversation whose first answer has come."""
    said = conversation.messages.with_text().order_by("id").values_list("role", "text")[:2]
    names = {Message.Role.USER.value: "Question", Message.Role.ASSISTANT.value: "Answer"}
    text = "\n\n".join(f"{names[role]}: {text[:MAX_READ_CHARS]}" for role, text in said)
    messages = [{"role": "user", "content": f"{TITLE_PROMPT}\n\n{text}"}]
    fields = {"model": conversation.model, "messages": messages, "max_tokens": MAX_TITLE_TOKENS, "temperature": 0.2}
    return check_chat_request(fields).to_row()


def clean_title(text: str) -> str:
    """The title in a model's answer: its first line that says something; empty where there is none."""
    for line in THINKING.sub("", text).replace("\x00", "").splitlines():
        title = LABEL.sub("", " ".join(line.split()).strip(STRIPPED_CHARS)).strip(STRIPPED_CHARS)
        if title:
            return title if len(title) <= MAX_TITLE_CHARS else title[:MAX_TITLE_CHARS].rsplit(" ", 1)[0] + "…"
    return ""
