"""What belongs to alice, one of each kind, every text of it marked; made for whoever tries to reach it."""

import uuid
from dataclasses import dataclass

from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from accounts.audit import AuditEvent
from accounts.models import ApiKey, GroupLimits, Invitation, Preferences, UserLimits
from chat.models import Conversation, Message, Share
from inference.models import Generation, LanguageModel
from inference.models.usage import UsageDay

CANARY = "canary-of-alice"


def conversation(owner):
    """Two versions of an exchange, so that there is something to step between, with its whole answer."""
    made = Conversation.objects.create(owner=owner, title=CANARY, model="fake", system_prompt=CANARY, folder=CANARY)
    question = made.messages.create(role="user", text=CANARY, client_key=uuid.uuid4())
    answer = made.messages.create(role="assistant", text=CANARY, parent=question, generation=generation(owner))
    Conversation.objects.filter(pk=made.pk).update(leaf=answer)
    return made


def deleted(owner):
    made = conversation(owner)
    Conversation.objects.filter(pk=made.pk).update(deleted_at=timezone.now())
    return made


def message(owner):
    return conversation(owner).messages.get(role="assistant")


def stopped(owner):
    made = message(owner)
    Generation.objects.filter(pk=made.generation_id).update(status="stopped", finish_reason="stop")
    return made


def question(owner):
    return conversation(owner).messages.get(role="user")


def generation(owner):
    fields = {"model": "fake", "door": "chat", "request_id": "r", "status": "done", "finish_reason": "stop"}
    return Generation.objects.create(owner=owner, text=CANARY, request={"messages": [CANARY]}, **fields)


def key(owner):
    return ApiKey.create_with_secret(owner.pk, CANARY)[0]


def usage(owner):
    figures = {f.name: 0 for f in UsageDay._meta.concrete_fields if f.get_internal_type().startswith("Positive")}
    now = timezone.now()
    return UsageDay.objects.create(day=now.date(), user=owner, model="fake", cost=0, made_at=now, **figures)


def session(owner):
    """One of the sessions that a person is signed in with, and can end."""
    store = SessionStore()
    store.create()
    return UserSession.objects.create(user=owner, ip="192.0.2.1", session_key=store.session_key, user_agent=CANARY)


def share(owner):
    made = conversation(owner)
    leaf = made.messages.get(role="assistant")
    return Share.objects.create(token=uuid.uuid4().hex, conversation=made, leaf=leaf)


def preferences(owner):
    return Preferences.objects.update_or_create(user=owner, defaults={"system_prompt": CANARY})[0]


# How to make an object of each model that the admin shows.
MAKERS = {
    ApiKey: key,
    Conversation: conversation,
    Generation: generation,
    AuditEvent: lambda owner: AuditEvent.objects.create(event="tried", actor=owner),
    GroupLimits: lambda _: GroupLimits.objects.create(group=Group.objects.create(name="limited")),
    UsageDay: usage,
    UserLimits: lambda owner: UserLimits.objects.get_or_create(user=owner)[0],
    Invitation: lambda _: Invitation.create_with_secret(None, "friends")[0],
    Group: lambda _: Group.objects.create(name="friends"),
    LanguageModel: lambda _: LanguageModel.objects.get_or_create(name="fake", defaults={"source": "fake"})[0],
    Message: message,
    Preferences: preferences,
    Share: share,
    User: lambda owner: owner,
}

PASSING = {  # what may change by reading, or by being refused
    "auth.User": {"last_login"},
    "accounts.ApiKey": {"last_used_at", "last_used_from", "addresses"},
}
TOLD = ("accounts.AuditEvent",)  # grows by whatever happens
OURS = ("accounts", "auth", "chat", "inference")


def everything():
    """All rows of all tables that matter, to see that nothing has changed."""
    return {
        model._meta.label: sorted(
            (
                {name: value for name, value in row.items() if name not in PASSING.get(model._meta.label, ())}
                for row in model.objects.values()
            ),
            key=repr,
        )
        for model in apps.get_models()
        if model._meta.app_label in OURS and model._meta.label not in TOLD
    }


@dataclass
class Cast:
    """The owner and those who try."""

    alice: User
    bob: User
    carol: User  # an administrator
    clerk: User  # staff, with no right to anything

    @classmethod
    def make(cls):
        def user(name, **fields):
            return User.objects.create_user(name, **fields)

        carol = user("carol", is_staff=True, is_superuser=True)
        return cls(user("alice"), user("bob"), carol, user("clerk", is_staff=True))
