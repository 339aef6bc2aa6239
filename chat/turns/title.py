"""Titles that the model writes from the first question and answer: who is asked, and for what."""

from typing import Any

from chat.models import Conversation, Message
from chat.turns.title_text import remove_thoughts
from inference.models import LanguageModel
from inference.openai.request import check_chat_request
from jarvis.lib.config import config

MODELS_WITHOUT_TITLES = ("guide",)  # models that are too small to find titles
MAX_TITLE_TOKENS = 1024  # a model that thinks says nothing for hundreds of them; one that does not ends by itself
MAX_READ_CHARS = 1500  # of the question and of its answer
TITLE_PROMPT = (
    "Write a title for the conversation below: two to six words, in the language of the question, "
    "without quotation marks, without a full stop at its end. Answer with the title alone."
)


def gets_title(model: str) -> bool:
    """Whether a model is asked for titles."""
    return config.titles == "auto" and model not in MODELS_WITHOUT_TITLES


def build_title_request(conversation: Conversation) -> dict[str, Any]:
    """The OpenAI request for a title, of a conversation whose first answer has come.

    Thinking is switched off where the server is known to be vLLM; others may refuse what says so.
    """
    said = conversation.messages.with_text().order_by("id").values_list("role", "text")[:2]
    model = LanguageModel.objects.filter(name=conversation.model).first()
    window = model.max_model_len if model else 0
    fields: dict[str, Any] = {
        "model": conversation.model,
        "messages": [{"role": "user", "content": "\n\n".join([TITLE_PROMPT, *(quote(*one) for one in said)])}],
        "max_tokens": min(MAX_TITLE_TOKENS, window // 4) if window else MAX_TITLE_TOKENS,
        "temperature": 0.2,
    }
    if model and model.goes_on:
        fields["chat_template_kwargs"] = {"enable_thinking": False, "thinking": False}
    return check_chat_request(fields).to_row()


def quote(role: str, text: str) -> str:
    if role == Message.Role.USER:
        return f"Question: {text[:MAX_READ_CHARS]}"
    return f"Answer: {remove_thoughts(text).strip()[:MAX_READ_CHARS]}"
