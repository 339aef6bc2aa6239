"""What a start tells whoever watches it, beside the state of the processes."""

import asyncio
import time

import psycopg
from django.db import connections

from accounts.first_admin import MAX_LINK_AGE_SECONDS
from accounts.name_clashes import find_clashes
from jarvis.launch.display import Display
from jarvis.lib.config import Config, find_warnings
from jarvis.lib.hosts import LOOPBACK_HOSTS
from jarvis.lib.open_files import FEW_FILES, max_connections, max_open_files

FIND_ADMIN = "SELECT 1 FROM auth_user WHERE is_superuser LIMIT 1"
POLL_SECONDS = 10.0  # seconds between two looks whether there is an administrator


def find_notices(config: Config) -> list[str]:
    """Sentences about what is allowed, ignored or at odds. Reads the database."""
    found = find_warnings()
    if config.allow_anonymous:
        found.append("Whoever reaches this address may use the API without a key: JARVIS_ALLOW_ANONYMOUS is on.")
    if few := describe_few_files(max_open_files()):
        found.append(few)
    try:
        return found + find_clashes()
    finally:
        close_connections()


def describe_few_files(files: int) -> str:
    """What a low limit of open files means, and where it is raised; empty where it is high enough."""
    if files >= FEW_FILES:
        return ""
    return (
        f"A process may have only {files} files open here, so each web process takes {max_connections(files)} "
        "connections at a time and answers 503 beyond. Raise the limit: `ulimit -Hn 65536` as root, LimitNOFILE=65536 "
        "in a unit of systemd, --ulimit nofile=65536 of Docker."
    )


def public_address(config: Config) -> str:
    """Where a proxy in front serves the page, as far as the configuration says so; else empty."""
    names = [host for host in config.allowed_hosts if host not in LOOPBACK_HOSTS and not host.startswith(("*", "."))]
    return f"https://{names[0]}" if config.secure and names else ""


async def drop_used_link(config: Config, display: Display, note: str) -> None:
    """Take the note with the link to the first administrator's account away, once it opens nothing any more."""
    until = time.monotonic() + MAX_LINK_AGE_SECONDS
    while await asyncio.to_thread(is_admin_missing, config):
        if time.monotonic() > until:
            display.remove_note(note, "The link for the first administrator has expired. A new start makes another.")
            return
        await asyncio.sleep(POLL_SECONDS)
    display.remove_note(note, "The first administrator is made.")


def is_admin_missing(config: Config) -> bool:
    """Also where Postgres is away for the moment. By a connection of its own, for Django would open several."""
    try:
        with psycopg.connect(config.postgres, connect_timeout=3) as connection:
            return connection.execute(FIND_ADMIN).fetchone() is None
    except psycopg.Error:
        return True


def close_connections() -> None:
    """All of this process: the supervisor needs none while it only watches."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]
