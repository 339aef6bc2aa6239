"""What a person has here, and how to take it along: the page "My data" of the settings."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import ApiKey
from chat.models import Conversation, Share


def held(user_id: int) -> dict[str, int]:
    """How many of each a person has."""
    mine = Conversation.objects.of(user_id)
    return {
        "conversations": mine.count(),
        "folders": len(mine.folders()),
        "links": Share.objects.of(user_id).open().count(),
        "keys": ApiKey.objects.filter(owner_id=user_id).count(),
    }


@never_cache
@require_safe
@login_required
def data(request: HttpRequest) -> HttpResponse:
    assert request.user.pk is not None
    return render(request, "chat/data.html", {"held": held(request.user.pk)})
