"""What is done to the database and the static files before anything is served. All of it may block."""

import hashlib

import psycopg
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connections

from accounts.first_admin import first_admin_link
from jarvis.launch.errors import LaunchError
from jarvis.launch.key_check import check_secret_key
from jarvis.lib.config import Config
from jarvis.lib.redis_client import RedisError, check_redis
from jarvis.lib.server_errors import explain_postgres, explain_redis


def check_given_servers(config: Config) -> None:
    """Raises LaunchError where a server that was given does not answer."""
    if config.database_url:
        try:
            psycopg.connect(config.database_url, connect_timeout=5).close()
        except (psycopg.Error, ValueError) as error:
            reason = explain_postgres(error, config.database_url)
            raise LaunchError(f"Postgres at DATABASE_URL cannot be used: {reason}") from error
    if config.redis_url:
        try:
            check_redis(config.redis_url, seconds=5)
        except (RedisError, OSError, ValueError) as error:
            reason = explain_redis(error, config.redis_url)
            raise LaunchError(f"Redis at REDIS_URL cannot be used: {reason}") from error


def migrate(config: Config, *, accept_key: bool = False) -> str | None:
    """Bring the tables up to date. Gives the path of the link for the first administrator, where there is none yet."""
    try:
        call_command("migrate", interactive=False, verbosity=0)
        check_secret_key(config, accept=accept_key)
        return first_admin_link()
    except (DatabaseError, CommandError) as error:
        reason = explain_postgres(error, config.postgres)
        raise LaunchError(f"The database cannot be brought up to date: {reason}") from error
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
