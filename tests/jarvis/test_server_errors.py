"""What is said of a server that was given and cannot be used: its reason, what to do, and never the password."""

import contextlib
import socket
import threading

import psycopg
import pytest
from redis import AuthenticationError, ConnectionError, RedisError, ResponseError

from jarvis.launch.database import check_given_servers
from jarvis.launch.errors import LaunchError
from jarvis.lib.config import Config
from jarvis.lib.config_values import check_postgres
from jarvis.lib.server_errors import explain_postgres, explain_redis, hide_password

POSTGRES = "postgresql://ana:hunter2@db/jarvis"
REDIS = "redis://:hunter2@cache:6379/0"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("failed to resolve host 'db': [Errno -2] Name or service not known", "correct the host; where the password"),
        (
            'connection failed: connection to server at "127.0.0.1", port 1 failed: Connection refused\n\tIs the',
            'server at "127.0.0.1", port 1 failed: Connection refused (start it, or correct host and port',
        ),
        ('FATAL:  password authentication failed for user "ana"', "correct user and password; in a password, @ :"),
        ("fe_sendauth: no password supplied", "name user and password: postgresql://"),
        ('FATAL:  database "jarvis" does not exist', "`CREATE DATABASE`"),
        ('FATAL:  role "ana" does not exist', "`CREATE ROLE`"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "in its pg_hba.conf"),
        ("FATAL:  sorry, too many clients already", "max_connections"),
        ("server does not support SSL, but SSL was required", "sslmode=disable"),
        ('extension "vector" is not available', "install pgvector"),
        ('permission denied to create extension "vector"', "`CREATE EXTENSION vector`"),
        ("permission denied for schema public", "ALTER DATABASE"),
        ("connection timeout expired", "firewall"),
        ('socket "/x/.s.PGSQL.5432" failed: No such file or directory', "no such socket"),
    ],
)
def test_what_postgres_says_gets_a_hint(said, told):
    text = explain_postgres(psycopg.OperationalError(said), POSTGRES)
    assert told in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (AuthenticationError("invalid username-password pair or user is disabled."), "correct the password; in a"),
        (AuthenticationError("Authentication required."), "redis://:password@host:6379/0"),
        (
            AuthenticationError("AUTH <password> called without any password configured for the default user."),
            "leave the password out",
        ),
        (ResponseError("DB index is out of range"), "after the last /"),
        (ConnectionError("Error -2 connecting to cache:6379. Name or service not known."), "correct the host; where"),
        (ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."), "nothing listens there"),
        (ConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "redis:// in the place"),
        (ConnectionError("Connection closed by server."), "rediss://"),
        (ConnectionError("Error 2 connecting to /nowhere.sock. No such file or directory."), "no such socket"),
        (UnicodeError("label empty or too long"), "correct the host"),
        (RedisError("something new"), "something new"),
        (RedisError(""), "RedisError"),
    ],
)
def test_what_redis_says_gets_a_hint(error, told):
    assert told in explain_redis(error, REDIS)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (POSTGRES, "invalid token: hunter2"),
        ("postgresql://ana:hunter%402@db/jarvis", "for hunter@2 or hunter%402"),
        ("redis://:p@hunter2@cache/0", "failed to resolve host 'hunter2'"),
        ("redis://ana:hunter2/x@cache/0", "no port hunter2/x"),
    ],
)
def test_no_password_is_told(url, said):
    assert "hunter" not in hide_password(said, url)
    assert hide_password("host 'cache' and 'db' are here", url) == "host 'cache' and 'db' are here"


def test_a_password_with_an_at_sign_is_not_taken_for_a_host():
    check_postgres("postgresql://ana:hunter%402@db/jarvis")
    with pytest.raises(ValueError, match="%40"):
        check_postgres("postgresql://ana:hunt@er/2@db/jarvis")


@contextlib.contextmanager
def answering(line: bytes):
    """A server that says one thing to whatever comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client:
                        client.recv(1000)
                        client.sendall(line)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"-NOAUTH Authentication required.\r\n", "give its password"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no Redis"),
    ],
)
def test_what_answers_in_the_place_of_redis_is_told(line, told):
    with answering(line) as port:
        given = Config(_env_file=None).model_copy(
            update={"database_url": "", "redis_url": f"redis://127.0.0.1:{port}/0"}
        )
        with pytest.raises(LaunchError, match=f"Redis at REDIS_URL cannot be used: .*{told}"):
            check_given_servers(given)
