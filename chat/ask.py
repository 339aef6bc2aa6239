"""Asking: one transaction writes what was asked, the empty answer and the generation that will fill it.

Four ways lead to an answer: a question, the same in other words, the same once more, and an answer that goes on. Each
takes the place of whatever was shown after the message that it follows; what was there stays, as a version.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from accounts.authentication import Caller
from chat import frames
from chat.models import Conversation, Message
from chat.prompt import model_for, request_of
from chat.sockets import announce
from inference.models import Generation, LanguageModel
from inference.openai import errors
from inference.submit import check_queue, ring
from jarvis.config import config
from jarvis.database import in_database

BROKEN_OFF = (Generation.Status.STOPPED, Generation.Status.FAILED)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks and through which door. With a `client_key` the same is asked once, however often it comes."""

    caller: Caller
    door: str
    request_id: str
    client_key: UUID | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking made. `new` is False where the same had been accepted before."""

    conversation: Conversation
    question: Message
    answer: Message
    generation: Generation
    client_key: UUID | None
    versions: dict[int, list[int]]
    new: bool = True

    def accepted(self) -> frames.Accepted:
        """What the one who asked is told of it."""
        return frames.Accepted(
            client_key=self.client_key,
            conversation=self.conversation.id,
            title=self.conversation.title,
            question=self.question.pk,
            answer=self.answer.pk,
            generation=self.generation.id,
            model=self.generation.model,
            follows=self.question.parent_id,
            question_versions=self.versions[self.question.pk],
            answer_versions=self.versions[self.answer.pk],
            continues=self.answer.continues_id,
        )

    def told(self) -> frames.Conversation:
        """What all of the person's open windows are told of it."""
        accepted = self.accepted()
        fields = {name: getattr(accepted, name) for name in accepted.__struct_fields__}
        return frames.Conversation(**fields, text=self.question.text)


async def ask(
    caller: Caller,
    text: str,
    *,
    door: str,
    request_id: str,
    conversation: UUID | None = None,
    model: str | None = None,
    client_key: UUID | None = None,
    system_prompt: str = "",
    temperature: float | None = None,
) -> Asked:
    """Accept a question and queue it. Raises ApiError 400 and 404, QueueFull, and database errors.

    Prompt and temperature are for the conversation that it begins, where it names none.
    """
    check_text(text)

    def accept(origin: Origin) -> Asked:
        into = opened(caller, conversation, text, model, system_prompt, temperature)
        question = put(origin, into, text, parent=into.path(limit=1).first())
        return queued(origin, into, question, into.model)

    return await accepted(Origin(caller, door, request_id, client_key), accept)


async def edit(origin: Origin, message: int, text: str, model: str | None = None) -> Asked:
    """Ask a question in other words. Raises as `ask`."""
    check_text(text)

    def accept(origin: Origin) -> Asked:
        former, conversation = found(origin.caller, message, Message.Role.USER)
        question = put(origin, conversation, text, former.parent)
        return queued(origin, conversation, question, chosen(conversation, model))

    return await accepted(origin, accept)


async def regenerate(origin: Origin, message: int, model: str | None = None) -> Asked:
    """Ask for another answer to the same question. Raises as `ask`."""

    def accept(origin: Origin) -> Asked:
        answer, conversation = found(origin.caller, message, Message.Role.ASSISTANT)
        return queued(origin, conversation, question_of(answer), chosen(conversation, model))

    return await accepted(origin, accept)


async def go_on(origin: Origin, message: int) -> Asked:
    """Let an answer go on that broke off. Raises as `ask`, and ApiError 400 `cannot_continue`."""

    def accept(origin: Origin) -> Asked:
        answer, conversation = found(origin.caller, message, Message.Role.ASSISTANT)
        check_continuable(answer)
        assert answer.generation is not None
        return queued(origin, conversation, question_of(answer), answer.generation.model, continues=answer)

    return await accepted(origin, accept)


async def accepted(origin: Origin, accept: Callable[[Origin], Asked]) -> Asked:
    """Accept in one transaction, unless it was before; then ring for a worker and tell the person's windows."""
    asked = await in_database(once, origin, accept)
    if asked.new:
        await ring()
        await announce(origin.caller.user_id, frames.encode(asked.told()))
    return asked


def once(origin: Origin, accept: Callable[[Origin], Asked]) -> Asked:
    with transaction.atomic():
        if origin.client_key is not None:
            one_at_a_time(origin.client_key)
            if before := asked_before(origin):
                return before
        check_queue()
        return accept(origin)


def one_at_a_time(client_key: UUID) -> None:
    """Wait for a transaction that is asking the same: a page that was cut off sends its question again at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(client_key.bytes[:8], signed=True)])


def asked_before(origin: Origin) -> Asked | None:
    """What was made of this key: it marks the question, or the answer where that alone is new."""
    mine = Message.objects.of(origin.caller.user_id).select_related("conversation", "generation", "parent")
    marked = mine.filter(client_key=origin.client_key).first()
    if marked is None:
        return None
    if marked.role == Message.Role.USER:
        question, answer = marked, marked.children.select_related("generation").earliest("id")
    else:
        question, answer = question_of(marked), marked
    assert answer.generation is not None
    return Asked(
        marked.conversation, question, answer, answer.generation, origin.client_key, versions(question, answer), False
    )


def check_text(text: str) -> None:
    if not text.strip():
        raise errors.invalid_request("The message is blank. Write something.", "message")
    if len(text) > config.max_message_chars:
        fault = f"The message has {len(text)} characters; {config.max_message_chars} are allowed. Shorten it."
        raise errors.invalid_request(fault, "message")
    if "\x00" in text:
        raise errors.invalid_request("The message has a NUL character. Remove it.", "message")


def check_continuable(answer: Message) -> None:
    """Raise ApiError where an answer cannot go on, and say what can be done instead."""
    row = answer.generation
    advice = "Ask for another answer instead."
    if row is None or not (row.status in BROKEN_OFF or row.finish_reason == "length"):
        raise errors.make(400, "cannot_continue", f"This answer has come to its own end. {advice}")
    if not answer.text.strip():
        raise errors.make(400, "cannot_continue", f"This answer has no text that could be continued. {advice}")
    if not answer.ending:
        raise errors.make(400, "cannot_continue", "Only the last answer can be continued. Ask for the rest of it.")
    if not LanguageModel.objects.offered().filter(name=row.model, kind=LanguageModel.Kind.LOCAL).exists():
        fault = f"`{row.model}` is not held by a worker here, so it cannot go on with a text that was begun. {advice}"
        raise errors.make(400, "cannot_continue", fault)


def opened(
    caller: Caller, id: UUID | None, text: str, model: str | None, system_prompt: str, temperature: float | None
) -> Conversation:
    """The conversation to write into: a new one, or one's own, held against others that write into it."""
    if id is None:
        return Conversation.objects.create(
            owner_id=caller.user_id,
            title=Conversation.title_from(text),
            model=model_for(caller.user_id, model),
            system_prompt=system_prompt,
            temperature=temperature,
        )
    conversation = Conversation.objects.of(caller.user_id).select_for_update().filter(id=id).first()
    if conversation is None:
        raise errors.make(404, "conversation_not_found", "There is no such conversation. Leave it out to begin one.")
    if (name := chosen(conversation, model)) != conversation.model:
        conversation.model = name
        conversation.save(update_fields=["model"])
    return conversation


def chosen(conversation: Conversation, model: str | None) -> str:
    """The model that answers now: the wanted one, else the conversation's, else the default."""
    offered = LanguageModel.objects.offered()
    if not model and offered.filter(name=conversation.model).exists():
        return conversation.model
    return model_for(conversation.owner_id, model)


def found(caller: Caller, message: int, role: str) -> tuple[Message, Conversation]:
    """A message of one's own and its conversation, held against others that write into it. Raises ApiError 404."""
    mine = Message.objects.of(caller.user_id).select_related("generation", "parent")
    one = mine.filter(pk=message, role=role).first()
    held = Conversation.objects.of(caller.user_id).select_for_update()
    conversation = held.filter(pk=one.conversation_id).first() if one else None
    if one is None or conversation is None:
        raise errors.make(404, "not_found", "There is no such message, or it is not yours.")
    return one, conversation


def question_of(answer: Message) -> Message:
    """Raises ApiError 404 for an answer that answers nothing, as an imported one may be."""
    if answer.parent is None or answer.parent.role != Message.Role.USER:
        raise errors.make(404, "not_found", "This message has no question before it. Ask one.")
    return answer.parent


def put(origin: Origin, conversation: Conversation, text: str, parent: Message | None) -> Message:
    return conversation.messages.create(role=Message.Role.USER, text=text, parent=parent, client_key=origin.client_key)


def queued(
    origin: Origin, conversation: Conversation, question: Message, model: str, continues: Message | None = None
) -> Asked:
    """Write the generation and the answer, which is what the conversation shows from now on."""
    begun = continues.text.rstrip() if continues else ""
    generation = Generation.objects.create(
        owner_id=origin.caller.user_id,
        key_id=origin.caller.key_id,
        model=model,
        door=origin.door,
        request_id=origin.request_id,
        request=request_of(conversation, question, model, begun),
    )
    marked = question.client_key == origin.client_key
    answer = conversation.messages.create(
        role=Message.Role.ASSISTANT,
        parent=question,
        text=begun,
        generation=generation,
        continues=continues,
        client_key=None if marked else origin.client_key,
    )
    Conversation.objects.filter(pk=conversation.pk).update(leaf=answer, updated_at=timezone.now())
    return Asked(conversation, question, answer, generation, origin.client_key, versions(question, answer))


def versions(*messages: Message) -> dict[int, list[int]]:
    """The ids of each message's versions, by its own."""
    those = Message.objects.filter(pk__in=[message.pk for message in messages]).with_versions()
    return {one.pk: one.versions for one in those}  # type: ignore[attr-defined]
