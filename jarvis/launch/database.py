"""What is done to the database and the static files before anything is served. All of it may block."""

import hashlib

import psycopg
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections

from accounts.first_admin import first_admin_link
from jarvis.launch.errors import LaunchError
from jarvis.lib.config import Config
from jarvis.lib.redis_client import RedisError, check_redis


def check_given_servers(config: Config) -> None:
    """Raises LaunchError where a server that was given does not answer."""
    if config.database_url:
        try:
            psycopg.connect(config.database_url, connect_timeout=5).close()
        except psycopg.Error as error:
            raise LaunchError(f"Postgres at DATABASE_URL cannot be used: {_first_line(error)}") from error
    if config.redis_url:
        try:
            check_redis(config.redis_url, seconds=5)
        except RedisError as error:
            raise LaunchError(f"Redis at REDIS_URL cannot be used: {_first_line(error)}") from error


def migrate() -> str | None:
    """Bring the tables up to date. Gives the path of the link for the first administrator, where there is none yet."""
    try:
        call_command("migrate", interactive=False, verbosity=0)
        return first_admin_link()
    except (DatabaseError, CommandError) as error:
        raise LaunchError(f"The database cannot be brought up to date: {_first_line(error)}") from error
    finally:
        connections.close_all()


def collect_static(config: Config) -> None:
    """Put the static files in their place when one of them has changed."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            digest.update(f"{path} {storage.get_modified_time(path).timestamp()} {storage.size(path)}\n".encode())
    stamp = config.var / "static" / "collected"
    if not stamp.exists() or stamp.read_text() != digest.hexdigest():
        call_command("collectstatic", interactive=False, verbosity=0, clear=True)
        stamp.write_text(digest.hexdigest())


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
