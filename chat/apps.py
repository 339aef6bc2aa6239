from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "chat"

    def ready(self) -> None:
        from chat.endings import fill_messages
        from inference.outcome import generations_ended

        generations_ended.connect(fill_messages, dispatch_uid="chat.fill_messages")
