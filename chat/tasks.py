"""Background work on conversations."""

from chat.models import Conversation
from jarvis.celery import app

AT_ONCE = 100  # conversations in one transaction


@app.task
def destroy() -> int:
    """Delete for good what was deleted a day ago; how many that was."""
    count = 0
    while chosen := list(Conversation.objects.spent().values_list("id", flat=True)[:AT_ONCE]):
        # Asked again, since one of them may have been restored meanwhile.
        Conversation.objects.spent().filter(id__in=chosen).destroy()
        count += len(chosen)
    return count
