"""Titles that the model makes of what was said first: what it is asked, and what is made of its answer."""

import re
from typing import Any

from chat.models import Conversation, Message
from inference.openai.request import check_chat_request
from jarvis.lib.config import config

SMALL = ("guide",)  # models that are too small to find titles
MOST_TOKENS = 32
READ_CHARS = 1500  # of the question and of its answer
LONGEST = 80  # characters of a title
ASKED = (
    "Write a title for the conversation below: two to six words, in the language of the question, "
    "without quotation marks, without a full stop at its end. Answer with the title alone."
)
THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
LABEL = re.compile(r"(?i)^(title|título|titulo)\s*:\s*")
AROUND = " \t\"'`*_#«»“”‘’.:"


def wanted(model: str) -> bool:
    """Whether a model is asked for titles."""
    return config.titles == "auto" and model not in SMALL


def request_of(conversation: Conversation) -> dict[str, Any]:
    """The OpenAI request for a title, of a conversation whose first answer has come."""
    said = conversation.messages.said().order_by("id").values_list("role", "text")[:2]
    names = {Message.Role.USER.value: "Question", Message.Role.ASSISTANT.value: "Answer"}
    text = "\n\n".join(f"{names[role]}: {text[:READ_CHARS]}" for role, text in said)
    messages = [{"role": "user", "content": f"{ASKED}\n\n{text}"}]
    fields = {"model": conversation.model, "messages": messages, "max_tokens": MOST_TOKENS, "temperature": 0.2}
    return check_chat_request(fields).to_row()


def clean(text: str) -> str:
    """The title in a model's answer: its first line that says something; empty where there is none."""
    for line in THINKING.sub("", text).replace("\x00", "").splitlines():
        title = LABEL.sub("", " ".join(line.split()).strip(AROUND)).strip(AROUND)
        if title:
            return title if len(title) <= LONGEST else title[:LONGEST].rsplit(" ", 1)[0] + "…"
    return ""
