"""What is submitted: who asks and from where, and what was accepted of it."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from accounts.authentication import Caller
from chat import frames
from chat.models import Conversation, Message
from inference.models import Generation
from inference.queue.rate_limits import Reservation


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asks, and from where. With a `client_key` a question is accepted once, however often it is sent.

    `id` is that of the generation that will answer, `reservation` what is reserved for it.
    """

    caller: Caller
    source: str
    request_id: str
    client_key: UUID | None = None
    id: UUID = field(default_factory=uuid4)
    reservation: Reservation = field(default_factory=Reservation)


@dataclass(frozen=True, slots=True)
class Submission:
    """What was accepted. `new` is False where it had been accepted before."""

    conversation: Conversation
    question: Message
    answer: Message
    generation: Generation
    client_key: UUID | None
    versions: dict[int, list[int]]
    new: bool = True
    reservation: Reservation = field(default_factory=Reservation)

    def frame_for_asker(self) -> frames.Accepted:
        """The reply to the one who asked."""
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

    def frame_for_windows(self) -> frames.QuestionAsked:
        """The frame for all open windows of the person."""
        accepted = self.frame_for_asker()
        fields = {name: getattr(accepted, name) for name in accepted.__struct_fields__}
        return frames.QuestionAsked(**fields, text=self.question.text)
