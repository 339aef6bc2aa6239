"""The workers that an administrator has paused."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class PausedPlaceQuerySet(models.QuerySet["PausedPlace"]):
    def is_paused(self, place: str) -> bool:
        return self.filter(place=place).exists()


class PausedPlace(models.Model):
    """A worker's place (its host and run directory) that takes nothing new until it is resumed, also after restarts."""

    place = models.CharField(_("place"), max_length=400, primary_key=True)
    by = models.CharField(_("who"), max_length=150, help_text=_("Who paused it."))
    at = models.DateTimeField(_("time"), auto_now_add=True)

    objects: ClassVar[PausedPlaceQuerySet] = PausedPlaceQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("paused worker")
        verbose_name_plural = _("paused workers")

    def __str__(self) -> str:
        return self.place
