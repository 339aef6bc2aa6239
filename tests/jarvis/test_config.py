"""One typed place for the configuration; a wrong value stops the start with one line."""

import subprocess
import sys

import pytest

from jarvis.lib.config import BASE, Config, variable_name
from jarvis.lib.env_example import make_example


def start(**variables):
    """What a process says that starts with these variables."""
    environment = {"PATH": "/usr/bin:/bin", "JARVIS_ENV_FILE": "/dev/null"} | variables
    command = [sys.executable, "-c", "from jarvis.lib.config import config"]
    return subprocess.run(command, env=environment, cwd=BASE, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("JARVIS_WEB_PORT", "99999", "65535"),
        ("JARVIS_WEB_PORT", "eighty", "integer"),
        ("JARVIS_WEB_SERVER", "apache", "uvicorn"),
        ("JARVIS_LEASE_SECONDS", "-1", "0.5"),
        ("JARVIS_ENGINE_URL", "localhost:9000", "http://"),
        ("DATABASE_URL", "mysql://host/name", "postgresql://"),
        ("REDIS_URL", "localhost", "redis://"),
        ("JARVIS_SECRET_KEY", "short", "50"),
        ("JARVIS_AUTO_CLEANUP_GPU", "perhaps", "boolean"),
        ("JARVIS_SIGNUP", "perhaps", "invitation"),
        ("JARVIS_EMAIL_URL", "mail.example", "smtp://"),
        ("JARVIS_OIDC_SERVER_URL", "http://id.example", "https://"),
        ("JARVIS_TRUSTED_PROXIES", "10.0.0.1,proxy", "10.0.0.0/8"),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_line_that_names_it(name, value, word):
    ended = start(**{name: value})
    assert ended.returncode != 0
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("Jarvis cannot start.")
    assert name in ended.stderr
    assert word in ended.stderr


def test_sign_in_by_openid_connect_needs_a_client():
    ended = start(JARVIS_OIDC_SERVER_URL="https://id.example")
    assert ended.stderr.startswith("Jarvis cannot start. JARVIS_OIDC_CLIENT_ID")


@pytest.mark.parametrize("name", ["JARVIS_SECRET_KEY", "JARVIS_API_KEYS", "DATABASE_URL", "JARVIS_EMAIL_URL"])
def test_a_wrong_secret_is_not_shown(name):
    assert "hunter2" not in start(**{name: "hunter2"}).stderr


def test_names_are_split_at_commas():
    config = Config(allowed_hosts=" a.example, b.example ,", _env_file=None)
    assert config.allowed_hosts == ("a.example", "b.example")


def test_the_example_file_is_the_one_that_the_configuration_makes():
    assert (BASE / ".env.example").read_text() == make_example()


def test_every_field_says_what_it_is_for():
    assert all(field.description for field in Config.model_fields.values())
    assert len({variable_name(name) for name in Config.model_fields}) == len(Config.model_fields)


def test_the_run_directory_is_private_and_short_enough_for_sockets(tmp_path):
    deep = Config(var=tmp_path / ("x" * 100), _env_file=None)
    assert deep.run_dir.stat().st_mode & 0o777 == 0o700
    assert len(bytes(deep.run_dir / "redis.sock")) < 107
    assert deep.run_dir != Config(var=tmp_path / ("y" * 100), _env_file=None).run_dir
