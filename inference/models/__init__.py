"""The tables of inference: the catalogue of models, calls with their results, usage by day, paused workers."""

from inference.models.catalogue import (
    LanguageModel,
    LanguageModelQuerySet,
    find_model,
    open_models,
    resolve_model,
    usable_arguments,
)
from inference.models.generation import (
    MAX_ATTEMPTS,
    MAX_ENGINE_DEATHS,
    MAX_LOST_WORKERS,
    Generation,
    GenerationQuerySet,
)
from inference.models.paused import PausedPlace
from inference.models.usage import UsageDay, UsageDayQuerySet

__all__ = [
    "MAX_ATTEMPTS",
    "MAX_ENGINE_DEATHS",
    "MAX_LOST_WORKERS",
    "Generation",
    "GenerationQuerySet",
    "LanguageModel",
    "LanguageModelQuerySet",
    "PausedPlace",
    "UsageDay",
    "UsageDayQuerySet",
    "find_model",
    "open_models",
    "resolve_model",
    "usable_arguments",
]
