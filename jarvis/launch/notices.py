"""What a start tells whoever watches it, beside the state of the processes."""

import asyncio

from django.db import DatabaseError, connections

from accounts.first_admin import needs_first_admin
from accounts.name_clashes import find_clashes
from jarvis.launch.display import Display
from jarvis.lib.config import Config, find_warnings
from jarvis.lib.hosts import LOOPBACK_HOSTS

POLL_SECONDS = 10.0  # seconds between two looks whether there is an administrator


def find_notices(config: Config) -> list[str]:
    """Sentences about what is allowed, ignored or at odds. Reads the database."""
    found = find_warnings()
    if config.allow_anonymous:
        found.append("Whoever reaches this address may use the API without a key: JARVIS_ALLOW_ANONYMOUS is on.")
    try:
        return found + find_clashes()
    finally:
        close_connections()


def public_address(config: Config) -> str:
    """Where a proxy in front serves the page, as far as the configuration says so; else empty."""
    names = [host for host in config.allowed_hosts if host not in LOOPBACK_HOSTS and not host.startswith(("*", "."))]
    return f"https://{names[0]}" if config.secure and names else ""


async def drop_used_link(display: Display, note: str) -> None:
    """Take the note with the link to the first administrator's account away, once there is one."""
    while await asyncio.to_thread(is_admin_missing):
        await asyncio.sleep(POLL_SECONDS)
    display.remove_note(note, "The first administrator is made.")


def is_admin_missing() -> bool:
    """Also where Postgres is away for the moment."""
    try:
        return needs_first_admin()
    except DatabaseError:
        return True
    finally:
        close_connections()


def close_connections() -> None:
    """All of this process: the supervisor needs none while it only watches."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
