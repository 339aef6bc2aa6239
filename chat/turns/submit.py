"""Asking: one transaction writes what was asked, the empty answer and the generation that will fill it.

Four ways lead to an answer: a question, the same in other words, the same once more, and an answer that goes on. Each
takes the place of whatever was shown after the message that it follows; what was there stays, as a version.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Func, IntegerField, Sum
from django.utils import timezone

from accounts.authentication import Caller
from chat.models import Conversation, Message
from chat.notify import announce_frame
from chat.turns.checks import check_continuable, check_text
from chat.turns.prompt import build_request, choose_model
from chat.turns.submission import Origin, Submission
from inference.models import Generation, LanguageModel
from inference.openai.request import ChatRequest
from inference.queue import rate_limits
from inference.queue.rate_limits import Reservation
from inference.queue.submit import accept as accept_work
from inference.queue.submit import in_transaction
from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import MAX_SYSTEM_PROMPT_CHARS
from jarvis.lib.database import in_database

MAX_SYSTEM_PROMPT_BYTES = 4 * MAX_SYSTEM_PROMPT_CHARS


async def ask_question(
    caller: Caller,
    text: str,
    *,
    source: str,
    request_id: str,
    conversation: UUID | None = None,
    model: str | None = None,
    client_key: UUID | None = None,
    system_prompt: str = "",
    temperature: float | None = None,
) -> Submission:
    """Accept a question and queue it. Raises ApiError 400, 404 and 429, QueueFull, and database errors.

    Prompt and temperature are for the conversation that it begins, where it names none.
    """
    check_text(text)

    def accept(origin: Origin) -> Submission:
        into = get_or_create_conversation(caller, conversation, text, model, system_prompt, temperature)
        question = create_question(origin, into, text, parent=into.path(limit=1).first())
        return create_generation(origin, into, question, into.model)

    return await submit_once(Origin(caller, source, request_id, client_key), accept, text, conversation=conversation)


async def edit_question(origin: Origin, message: int, text: str, model: str | None = None) -> Submission:
    """Ask a question in other words. Raises as `ask_question`."""
    check_text(text)

    def accept(origin: Origin) -> Submission:
        former, conversation = get_message_for_update(origin.caller, message, Message.Role.USER)
        question = create_question(origin, conversation, text, former.parent)
        return create_generation(origin, conversation, question, resolve_model(origin.caller, conversation, model))

    return await submit_once(origin, accept, text, conversation__messages=message)


async def regenerate_answer(origin: Origin, message: int, model: str | None = None) -> Submission:
    """Ask for another answer to the same question. Raises as `ask_question`."""

    def accept(origin: Origin) -> Submission:
        answer, conversation = get_message_for_update(origin.caller, message, Message.Role.ASSISTANT)
        return create_generation(
            origin, conversation, get_question(answer), resolve_model(origin.caller, conversation, model)
        )

    return await submit_once(origin, accept, conversation__messages=message)


async def continue_answer(origin: Origin, message: int) -> Submission:
    """Continue an answer that broke off. Raises as `ask_question`, and ApiError 400 `cannot_continue`."""

    def accept(origin: Origin) -> Submission:
        answer, conversation = get_message_for_update(origin.caller, message, Message.Role.ASSISTANT)
        model = check_continuable(origin.caller, answer)
        return create_generation(origin, conversation, get_question(answer), model, continues=answer)

    return await submit_once(origin, accept, conversation__messages=message)


async def submit_once(
    origin: Origin, accept: Callable[[Origin], Submission], text: str = "", **said: Any
) -> Submission:
    """Reserve what it may use and accept it in one transaction, unless it was before; then tell the person's
    windows. `said`: which messages may be sent along with the text."""
    try:
        held = await reserve_tokens(origin, text, **said)
    except ApiError:  # what was accepted before is not refused when it is sent again
        before = await in_database(find_submission, origin) if origin.client_key else None
        if before is None:
            raise
        return before
    origin = replace(origin, reservation=held)
    write = in_transaction(origin.caller.user_id, partial(accept, origin), partial(find_or_lock, origin))
    asked, is_new = await accept_work(held, write)
    if is_new:
        await announce_frame(origin.caller.user_id, asked.frame_for_windows())
    return replace(asked, reservation=held)


async def reserve_tokens(origin: Origin, text: str, **said: Any) -> Reservation:
    """Reserve what an answer may use. Raises ApiError 429 and 503."""
    if not rate_limits.counts_tokens(origin.caller):
        return await rate_limits.reserve_call(origin.caller, origin.id)
    size, window = await in_database(measure_prompt, origin.caller, **said)
    unnamed = ChatRequest(model="", fields={})  # the page names no limit
    return await rate_limits.reserve_call(
        origin.caller, origin.id, *rate_limits.estimate_tokens(unnamed, size + len(text.encode()), window)
    )


def measure_prompt(caller: Caller, **said: Any) -> tuple[int, int]:
    """Bytes that are sent along at most, and the largest window of a model that may answer; 0 where one is unknown."""
    bytes = Func(F("text"), function="octet_length", output_field=IntegerField())
    size = Message.objects.for_user(caller.user_id).filter(**said).aggregate(size=Sum(bytes))["size"] or 0
    windows = LanguageModel.objects.open_to(caller).values_list("max_model_len", flat=True)
    return size + MAX_SYSTEM_PROMPT_BYTES, max(windows, default=0) if all(windows) else 0


def find_or_lock(origin: Origin) -> Submission | None:
    """What was made of the same key before; where nothing was, nobody else makes it until the transaction ends."""
    if origin.client_key is None:
        return None
    lock_client_key(origin.client_key)
    return find_submission(origin)


def lock_client_key(client_key: UUID) -> None:
    """Wait for a transaction that is asking the same: a page that was cut off sends its question again at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(client_key.bytes[:8], signed=True)])


def find_submission(origin: Origin) -> Submission | None:
    """What was made of this key: it marks the question, or the answer where that alone is new."""
    mine = Message.objects.for_user(origin.caller.user_id).select_related("conversation", "generation", "parent")
    marked = mine.filter(client_key=origin.client_key).first()
    if marked is None:
        return None
    if marked.role == Message.Role.USER:
        question, answer = marked, marked.children.select_related("generation").earliest("id")
    else:
        question, answer = get_question(marked), marked
    assert answer.generation is not None
    return Submission(
        marked.conversation,
        question,
        answer,
        answer.generation,
        origin.client_key,
        collect_versions(question, answer),
        False,
    )


def get_or_create_conversation(
    caller: Caller, id: UUID | None, text: str, model: str | None, system_prompt: str, temperature: float | None
) -> Conversation:
    """The conversation to write into: a new one, or one's own, locked against other writers."""
    if id is None:
        return Conversation.objects.create(
            owner_id=caller.user_id,
            title=Conversation.make_title(text),
            model=choose_model(caller, model),
            system_prompt=system_prompt,
            temperature=temperature,
        )
    conversation = Conversation.objects.for_user(caller.user_id).select_for_update().filter(id=id).first()
    if conversation is None:
        raise api_errors.make_error(
            404,
            "conversation_not_found",
            "There is no such conversation. Leave it out to begin one.",
            param="conversation",
        )
    if (name := resolve_model(caller, conversation, model)) != conversation.model:
        conversation.model = name
        conversation.save(update_fields=["model"])
    return conversation


def resolve_model(caller: Caller, conversation: Conversation, model: str | None) -> str:
    """The model that answers now: the wanted one, else the conversation's, else the person's or the site's."""
    return choose_model(caller, model, conversation.model)


def get_message_for_update(caller: Caller, message: int, role: str) -> tuple[Message, Conversation]:
    """A message of one's own and its conversation, locked against other writers. Raises ApiError 404."""
    mine = Message.objects.for_user(caller.user_id).select_related("generation", "parent")
    one = mine.filter(pk=message, role=role).first()
    locked = Conversation.objects.for_user(caller.user_id).select_for_update()
    conversation = locked.filter(pk=one.conversation_id).first() if one else None
    if one is None or conversation is None:
        raise api_errors.make_error(404, "not_found", "There is no such message, or it is not yours.")
    return one, conversation


def get_question(answer: Message) -> Message:
    """Raises ApiError 404 for an answer that answers nothing, as an imported one may be."""
    if answer.parent is None or answer.parent.role != Message.Role.USER:
        raise api_errors.make_error(404, "not_found", "This message has no question before it. Ask one.")
    return answer.parent


def create_question(origin: Origin, conversation: Conversation, text: str, parent: Message | None) -> Message:
    return conversation.messages.create(role=Message.Role.USER, text=text, parent=parent, client_key=origin.client_key)


def create_generation(
    origin: Origin, conversation: Conversation, question: Message, model: str, continues: Message | None = None
) -> Submission:
    """Write the generation and the answer, which is what the conversation shows from now on."""
    prefix = continues.text.rstrip() if continues else ""
    request = ChatRequest.from_row(build_request(conversation, question, model, prefix))
    behind = lock_open_answer(question)
    generation = Generation.objects.create(
        id=origin.id,
        priority=origin.caller.priority,
        reserved=origin.reservation.reserved,
        owner_id=origin.caller.user_id,
        key_id=origin.caller.key_id,
        model=model,
        door=origin.source,
        request_id=origin.request_id,
        behind_id=behind,
        request=rate_limits.limit_answer(request, origin.caller).to_row(),
    )
    marked = question.client_key == origin.client_key
    answer = conversation.messages.create(
        role=Message.Role.ASSISTANT,
        parent=question,
        text=prefix,
        generation=generation,
        continues=continues,
        client_key=None if marked else origin.client_key,
    )
    Conversation.objects.filter(pk=conversation.pk).update(leaf=answer, updated_at=timezone.now())
    return Submission(conversation, question, answer, generation, origin.client_key, collect_versions(question, answer))


def lock_open_answer(question: Message) -> UUID | None:
    """The generation of the answer before a question, while that is open: the next one waits for its text.

    It is locked, so that it ends either before this, and its text is read, or after this, and finds who waits for it
    (`chat.turns.store`).
    """
    rows = Generation.objects.select_for_update(of=("self",), no_key=True).filter(message=question.parent_id)
    row = rows.only("status").first() if question.parent_id else None
    return None if row is None or row.ended else row.pk


def collect_versions(*messages: Message) -> dict[int, list[int]]:
    """The ids of each message's versions, by its own."""
    those = Message.objects.filter(pk__in=[message.pk for message in messages]).with_versions()
    return {one.pk: one.versions for one in those}  # type: ignore[attr-defined]
