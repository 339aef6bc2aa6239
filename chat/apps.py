from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChatConfig(AppConfig):
    name = "chat"
    verbose_name = _("Conversations")

    def ready(self) -> None:
        from chat.turns.store import fill_messages
        from chat.turns.title_bell import ring_for_titles
        from inference.queue.outcome import generations_ended

        generations_ended.connect(fill_messages, dispatch_uid="chat.fill_messages")
        generations_ended.connect(ring_for_titles, dispatch_uid="chat.ring_for_titles")
