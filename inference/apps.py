from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


def offer_configured_model(**_: Any) -> None:
    """Offer the model that the worker is going to load, so that questions can be queued while it does."""
    from inference.models import LanguageModel
    from jarvis.lib.config import config

    if not config.engine_url and not LanguageModel.objects.offered().exists():
        LanguageModel.objects.register_served(config.model_name)


class InferenceConfig(AppConfig):
    name = "inference"
    verbose_name = _("Models and calls")

    def ready(self) -> None:
        post_migrate.connect(offer_configured_model, sender=self)
