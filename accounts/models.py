"""API keys. A secret is shown once, when it is made; only its hash is kept."""

import hashlib
import secrets
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

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
