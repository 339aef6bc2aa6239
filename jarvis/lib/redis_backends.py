"""Django's cache and channels' layer in Redis, with clients that are opened as ours are.

The settings name them by their paths, so that a process that uses neither does not load a client of Redis.
"""

import json
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer
from django.core.cache.backends.redis import RedisCache

from jarvis.lib.redis_client import ASYNC_OPTIONS, SYNC_OPTIONS


class JsonSerializer:
    """Values as JSON. Django's own way, pickle, would run what somebody else put there."""

    def dumps(self, value: Any) -> Any:
        return value if type(value) is int else json.dumps(value)  # Redis itself counts whole numbers

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class Cache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = {"serializer": JsonSerializer, **SYNC_OPTIONS, **params.get("OPTIONS", {})}
        super().__init__(server, {**params, "OPTIONS": options})


class ChannelLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    def __init__(self, *, url: str, **options: Any) -> None:
        super().__init__(hosts=[{"address": url, **ASYNC_OPTIONS}], **options)
