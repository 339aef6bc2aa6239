"""Frames for all open windows of a person, in whichever process their sockets are.

Sent through the channel layer, in Redis. `chat.ws.connections` receives them in each web process.
"""

import asyncio

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from chat.frames import FromServer, encode_frame, make_changed
from chat.models import Conversation
from inference.redis.client import UNAVAILABLE_ERRORS

log = structlog.get_logger(__name__)

CHANNEL_GROUP = "chat"
MAX_SEND_SECONDS = 0.8  # seconds after which a frame is given up


async def announce_frame(user_id: int, frame: FromServer) -> None:
    """Send a frame to all open windows of a person. Where Redis cannot be reached, none of them gets it."""
    message = {"type": "chat", "user": user_id, "frame": encode_frame(frame)}
    try:
        async with asyncio.timeout(MAX_SEND_SECONDS):
            await get_channel_layer().group_send(CHANNEL_GROUP, message)
    except (TimeoutError, *UNAVAILABLE_ERRORS) as error:
        log.warning("redis.away", error=str(error))


def announce_frame_sync(user_id: int, frame: FromServer) -> None:
    """The same for sync code, such as a REST resource or a task of Celery."""
    async_to_sync(announce_frame)(user_id, frame)


def announce_change(conversation: Conversation) -> None:
    """Tell the owner's open windows how a conversation is now."""
    announce_frame_sync(conversation.owner_id, make_changed(conversation))
