"""API keys and preferences. A key's secret is shown once, when it is made; only its hash is kept."""

import hashlib
import secrets
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

SECRET_BYTES = 32
PREFIX = "jv_"
SHOWN = len(PREFIX) + 6


def digest(secret: str) -> str:
    """SHA-256 in hex. A fast hash is right here: the secret has 256 random bits, so there is nothing to guess."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self) -> "ApiKeyQuerySet":
        """Keys that open a door now: not revoked, not expired, of an active owner."""
        alive = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        return self.filter(alive, revoked_at=None, owner__is_active=True)


class ApiKey(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_keys")
    label = models.CharField(max_length=100)
    prefix = models.CharField(max_length=SHOWN, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects: ClassVar[ApiKeyQuerySet] = ApiKeyQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.label} ({self.prefix}…)"

    @classmethod
    def make(cls, owner_id: int, label: str, expires_at: datetime | None = None) -> tuple["ApiKey", str]:
        """A new key and its secret, which cannot be had again."""
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        key = cls.objects.create(
            owner_id=owner_id, label=label, prefix=secret[:SHOWN], digest=digest(secret), expires_at=expires_at
        )
        return key, secret

    def revoke(self) -> None:
        """Close the key now. Web processes hear of it within a second (see `authentication.REMEMBER`)."""
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])


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
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user_id}"
