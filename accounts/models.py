"""API keys, limits, preferences, invitations. A key's secret is shown once, when it is made; only its hash is kept."""

import hashlib
import secrets
import time
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, AnonymousUser, Group
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.audit import AuditEvent as AuditEvent  # Django looks for models here

SECRET_BYTES = 32
PREFIX = "jv_"
PREFIX_CHARS = len(PREFIX) + 6
MAX_KNOWN_ADDRESSES = 100  # of a key
DAY_SECONDS = 24 * 3600  # seconds


def hash_secret(secret: str) -> str:
    """SHA-256 in hex. A fast hash is right here: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def in_a_week() -> datetime:
    return timezone.now() + timedelta(days=7)


class Limited(models.Model):
    """Figures that hold for whatever the row belongs to. `accounts.limit_rules` says how several become one."""

    requests_per_minute = models.PositiveIntegerField(
        _("calls a minute"), null=True, blank=True, help_text=_("Empty: nothing is said here. 0: no limit.")
    )
    tokens_per_minute = models.PositiveIntegerField(
        _("tokens a minute"), null=True, blank=True, help_text=_("Of questions and answers together.")
    )
    parallel = models.PositiveIntegerField(
        _("calls at a time"), null=True, blank=True, help_text=_("Those that wait in the queue count.")
    )
    tokens_per_month = models.PositiveBigIntegerField(
        _("tokens a month"), null=True, blank=True, help_text=_("The budget of a calendar month, in UTC.")
    )
    allowed_models = ArrayField(
        models.CharField(max_length=200),
        verbose_name=_("models"),
        default=list,
        blank=True,
        help_text=_("Names of the models that may be used, separated by commas. Empty: all."),
    )

    class Meta:
        abstract = True


class UserLimits(Limited):
    """What one account may use."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="limits", verbose_name=_("user")
    )

    class Meta:
        verbose_name = _("limits of an account")
        verbose_name_plural = _("limits of accounts")

    def __str__(self) -> str:
        return self.user.get_username()


class GroupLimits(Limited):
    """What the members of a group may use, each or together, and how soon they are served."""

    group = models.OneToOneField(
        Group, models.CASCADE, primary_key=True, related_name="limits", verbose_name=_("group")
    )
    shared = models.BooleanField(
        _("for all members together"), default=False, help_text=_("Else each member may use as much.")
    )
    priority = models.SmallIntegerField(
        _("priority"),
        default=0,
        validators=[MinValueValidator(-3), MaxValueValidator(3)],
        help_text=_("-3 to 3. Each step up is served twice as often where there is more work than room."),
    )

    class Meta:
        verbose_name = _("limits of a group")
        verbose_name_plural = _("limits of groups")

    def __str__(self) -> str:
        return self.group.name


class Scope(models.TextChoices):
    CHAT = "chat", _("chat: ask and get answers")
    EMBEDDINGS = "embeddings", _("embeddings")
    MODELS = "models", _("models: list them and their state")
    HISTORY = "history", _("history: read and clear conversations")
    ADMIN_READ = "admin-read", _("admin-read: read what administrators see")


DEFAULT_SCOPES = (Scope.CHAT, Scope.EMBEDDINGS, Scope.MODELS, Scope.HISTORY)


def everyday() -> list[str]:
    """The scopes of a key for which none were chosen."""
    return [scope.value for scope in DEFAULT_SCOPES]


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> "ApiKeyQuerySet":
        """Keys that open a door now: not revoked, not expired, of an active owner."""
        alive = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(alive, revoked_at=None, owner__is_active=True)

    def for_digest(self, found: str) -> "ApiKeyQuerySet":
        """The usable key with this digest, or whose former secret has it and still works."""
        former = Q(previous_digest=found, previous_until__gt=timezone.now())
        return self.usable().filter(Q(digest=found) | former)


class ApiKey(Limited):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys", verbose_name=_("owner")
    )
    label = models.CharField(_("label"), max_length=100)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope), verbose_name=_("scopes"), default=everyday)
    prefix = models.CharField(_("begins with"), max_length=PREFIX_CHARS, editable=False)
    digest = models.CharField(_("hash of the secret"), max_length=64, unique=True, editable=False)
    previous_digest = models.CharField(
        _("hash of the former secret"), max_length=64, null=True, editable=False, db_index=True
    )
    previous_until = models.DateTimeField(
        _("former secret until"), null=True, editable=False, help_text=_("The former secret works until then.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="keys_made",
        verbose_name=_("made by"),
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    last_used_from = models.CharField(
        _("last used from"), max_length=50, blank=True, editable=False, help_text=_("An address.")
    )
    addresses = models.JSONField(
        _("addresses"),
        default=dict,
        editable=False,
        help_text=_("Where it came from, each with the second when it first did."),
    )

    objects: ClassVar[ApiKeyQuerySet] = ApiKeyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.label} ({self.prefix}…)"

    @classmethod
    def create_with_secret(
        cls, owner_id: int, label: str, expires_at: datetime | None = None, **fields: Any
    ) -> tuple["ApiKey", str]:
        """A new key and its secret, which cannot be had again."""
        key = cls(owner_id=owner_id, label=label, expires_at=expires_at, **fields)
        secret = key.replace_secret()
        key.save()
        return key, secret

    def replace_secret(self) -> str:
        """A fresh secret in the place of the present one; nothing is saved yet."""
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        self.prefix, self.digest = secret[:PREFIX_CHARS], hash_secret(secret)
        return secret

    def rotate(self, until: datetime | None = None) -> str:
        """A new secret. The present one works on until then, or ends now; one from before ends now in any case."""
        self.previous_digest, self.previous_until = (self.digest, until) if until else (None, None)
        secret = self.replace_secret()
        self.save(update_fields=["prefix", "digest", "previous_digest", "previous_until"])
        return secret

    @property
    def digests(self) -> set[str]:
        """Of the secrets that open it now, if any does."""
        former = self.previous_until and self.previous_until > timezone.now() and self.previous_digest
        return {self.digest, former} if former else {self.digest}

    @property
    def is_roaming(self) -> bool:
        """Whether it came from so many new addresses within a day that another one tells nothing any more."""
        return len(self.addresses) >= MAX_KNOWN_ADDRESSES and min(self.addresses.values()) > time.time() - DAY_SECONDS

    def remember_address(self, where: str) -> bool:
        """Remember an address, in place of the oldest where there are many; whether it was new. Lock the row for it."""
        if where in self.addresses or self.is_roaming:
            return False
        if len(self.addresses) >= MAX_KNOWN_ADDRESSES:
            del self.addresses[min(self.addresses, key=self.addresses.__getitem__)]
        self.addresses[where] = int(time.time())
        self.save(update_fields=["addresses"])
        return True

    def revoke(self) -> None:
        """Revoke the key now. Web processes refuse it within a second (see `authentication.CACHE_SECONDS`)."""
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])

    def clean(self) -> None:
        if Scope.ADMIN_READ in (self.scopes or ()) and not self.owner.is_staff:
            raise ValidationError(
                {"scopes": _("admin-read is for keys of staff. Choose another owner or leave it out.")}
            )


class Preferences(models.Model):
    """What a person has chosen for themselves; a person without a row has chosen nothing."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("as the device")
        LIGHT = "light", _("light")
        DARK = "dark", _("dark")

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preferences")
    language = models.CharField(max_length=10, blank=True, help_text="Empty: as the browser asks.")
    theme = models.CharField(max_length=10, choices=Theme, default=Theme.SYSTEM)
    model = models.CharField(max_length=200, blank=True, help_text="Empty: the site's default.")
    system_prompt = models.TextField(blank=True, help_text="Empty: the site's.")
    temperature = models.FloatField(null=True, blank=True, help_text="Empty: the model's own.")
    speak = models.BooleanField(default=False, help_text="The browser reads answers aloud.")
    listen = models.BooleanField(default=False, help_text="The browser takes questions by voice.")

    class Meta:
        verbose_name = verbose_name_plural = _("preferences")

    def __str__(self) -> str:
        return self.user.get_username()

    @classmethod
    def for_user(cls, user: AbstractUser | AnonymousUser) -> "Preferences":
        """What this person prefers; not stored yet where they have chosen nothing."""
        if not isinstance(user, AbstractUser):
            return cls()
        return getattr(user, "preferences", None) or cls(user_id=user.pk)


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def usable(self) -> "InvitationQuerySet":
        """Links that still make an account: not withdrawn, not expired, not used up."""
        return self.filter(withdrawn_at=None, expires_at__gt=timezone.now(), uses__lt=F("limit"))


class Invitation(models.Model):
    """A link under which somebody makes an account of their own. The link is shown once; only its hash is kept."""

    digest = models.CharField(_("hash of the secret"), max_length=64, unique=True, editable=False)
    note = models.CharField(_("note"), max_length=100, help_text=_("To know the link by."))
    group = models.ForeignKey(
        Group,
        models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("group"),
        help_text=_("Who comes by this link is a member of it."),
    )
    limit = models.PositiveIntegerField(
        _("accounts"), default=1, validators=[MinValueValidator(1)], help_text=_("How many it may make.")
    )
    uses = models.PositiveIntegerField(_("made"), default=0, editable=False)
    expires_at = models.DateTimeField(_("expires"), default=in_a_week)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True, editable=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("made by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects: ClassVar[InvitationQuerySet] = InvitationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.note

    @classmethod
    def create_with_secret(cls, made_by_id: int | None, note: str, **fields: Any) -> tuple["Invitation", str]:
        """A new invitation and the secret of its link, which cannot be had again."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        return cls.objects.create(digest=hash_secret(secret), made_by_id=made_by_id, note=note, **fields), secret

    @classmethod
    def find_usable(cls, secret: str) -> "Invitation | None":
        """The invitation of a link, while it is usable."""
        return cls.objects.usable().filter(digest=hash_secret(secret)).first()

    def count_use(self) -> bool:
        """Count one account, in the transaction that makes it. False where it is used up or over meanwhile: the row
        itself decides, so that of sign-ups that come at the same moment no more than the limit succeed."""
        return bool(Invitation.objects.usable().filter(pk=self.pk).update(uses=F("uses") + 1))
