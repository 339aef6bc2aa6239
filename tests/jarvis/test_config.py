"""One typed place for the configuration; a wrong value stops the start with one line."""

import os
import subprocess
import sys

import pytest

from jarvis.lib.config import BASE, Config, find_warnings, is_own_name, load_config, variable_name
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


@pytest.fixture
def told(monkeypatch, tmp_path):
    """What the start says, as lines, with this text in `.env` and these variables; nothing where it goes on."""
    for name in [name for name in os.environ if is_own_name(name)]:
        monkeypatch.delenv(name)

    def told(text="", **variables):
        file = tmp_path / ".env"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with monkeypatch.context() as changed:
            changed.setenv("JARVIS_ENV_FILE", str(file))
            for name, value in variables.items():
                changed.setenv(name, value)
            try:
                told.config = load_config()
            except SystemExit as end:
                return str(end.code).removeprefix("Jarvis cannot start. ").split("\n")
        return []

    return told


WRONG = {
    "allowed_hosts": [
        "https://jarvis.example.com",
        "jarvis.example.com:8090",
        "jarvis.example.com/",
        "a.example b.example",
        "*.example.com",
        "::1",
        "a.example,https://b.example",
        "jarvis_example!",
    ],
    "web_host": ["http://0.0.0.0", "0.0.0.0:8090", "0.0.0.0 ::", "*", ".example.com"],
    "trusted_origins": ["jarvis.example.com", "https://jarvis.example.com/", "https://*", "*", "ftp://a.example"],
    "trusted_proxies": ["10.0.0.1 10.0.0.2", "http://10.0.0.1"],
    "engine_url": ["http://", "http://a b:9000", "http://host:port/v1", "http://host:99999"],
    "oidc_server_url": ["https://", "https://id.example.com /realm", "https://id.example.com:no"],
    "email_url": ["smtp://host:port", "smtp://user:pa#ss@host", "smtp://user:pa/ss@host:587"],
    "api_keys": [
        "a",
        "key1,key2",
        "long-enough-for-a-key,b",
        "ключ-достаточно-длинный",
        "x" * 257,
        "a blank inside it",
    ],
    "web_port": ["0", "8090.5", "'8090'", "8,090", "tcp://10.0.0.1:8090"],
    "secure": ["ture", "2"],
}
RIGHT = {
    "allowed_hosts": [
        "*",
        ".example.com",
        "jarvis",
        "my_host",
        "[::1]",
        "192.168.1.5",
        "xn--bcher-kva.example",
        "a, b",
    ],
    "web_host": ["::", "0.0.0.0", "localhost", "fe80::1"],
    "trusted_origins": ["https://jarvis.example.com", "https://*.example.com:8443", "http://[::1]:8090,http://a"],
    "engine_url": ["http://[::1]:9000/v1", "https://user:pass@host/"],
    "email_url": ["smtp://", "smtps://user:pa%23ss@host:465"],
    "api_keys": ["a-key-of-sixteen-", "a-key-of-sixteen-,another-key-of-twenty+/="],
    "web_port": [" 8090 ", ""],
    "web_processes": [""],
    "secure": ["", "yes", "TRUE", "0"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in WRONG for value in WRONG[field]])
def test_a_value_that_would_not_work_is_told_by_its_name(told, field, value):
    (line,) = told(**{variable_name(field): value})
    assert line.startswith(variable_name(field))


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in RIGHT for value in RIGHT[field]])
def test_a_value_that_works_is_taken(told, field, value):
    assert told(**{variable_name(field): value}) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:pa@ss@host/db",
        "postgresql://u:pa/ss@host/db",
        "postgresql://u:50%@host/db",
        "postgresql://u:pass@host:port/db",
    ],
)
def test_an_address_of_postgres_that_its_library_reads_otherwise_is_told(told, url):
    (line,) = told(DATABASE_URL=url)
    assert line.startswith("DATABASE_URL")
    assert "%40" in line
    assert "pa" not in line.split(";")[0].partition(":")[2]


def test_addresses_of_servers_are_taken(told):
    for url in ("postgresql://u:p%23@a:5432,b:5433/db", "postgres:///db?host=/run/x", "postgresql://u:p#ss@host/db"):
        assert told(DATABASE_URL=url) == []
    for url in ("redis://:p%23@host:6379/0", "unix:///run/redis.sock", "rediss://host"):
        assert told(REDIS_URL=url) == []
    for url in ("redis://:pa#ss@host", "redis://", "unix://redis.sock", "redis://host:port"):
        assert told(REDIS_URL=url)[0].startswith("REDIS_URL")


def test_all_faults_are_told_at_once(told):
    text = "JARVIS_WEB_PROT=1\nthis is none\nJARVIS_LEASE_SECONDS=-1\n"
    lines = told(text, JARVIS_WEB_PORT="eighty", JARVIS_SECURE="perhaps")
    names = ("JARVIS_WEB_PROT", "Line 2", "JARVIS_LEASE_SECONDS", "JARVIS_WEB_PORT", "JARVIS_SECURE")
    assert sorted(next(name for name in names if line.startswith(f"{name} ")) for line in lines) == sorted(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("JARVIS_WEB_PROT=9000", ["JARVIS_WEB_PROT (line 1 of .env)", "JARVIS_WEB_PORT"]),
        ("\n\n# a comment\nexport JARVIS_ALOWED_HOSTS=a", ["line 4", "JARVIS_ALLOWED_HOSTS"]),
        ("JARVIS_NOTHING_LIKE_IT=1", [".env.example"]),
        ("jarvis_web_prot=1", ["JARVIS_WEB_PORT"]),
        ("JARVIS_WEB_PORT 8090", ["Line 1"]),
        ("JARVIS_WEB_PORT: 8090", ["Line 1"]),
        ("JARVIS_WEB_PORT", ["Line 1"]),
        ("A=1\nJARVIS_OIDC_NAME='Example", ["Line 2"]),
        ('JARVIS_OIDC_NAME="a" b', ["Line 1"]),
        ("hunter2 hunter2", ["Line 1"]),
        ("JARVIS_SYSTEM_PROMPT=You know C #1 of all", ["JARVIS_SYSTEM_PROMPT (line 1 of .env)", "quotes"]),
        ("JARVIS_OIDC_CLIENT_SECRET=abc #def", ["JARVIS_OIDC_CLIENT_SECRET", "quotes"]),
        ("JARVIS_WEB_PORT=80\n".encode("utf-16"), ["UTF-8"]),
        (b"JARVIS_OIDC_NAME=caf\xe9\n", ["UTF-8"]),
    ],
)
def test_nothing_in_the_file_is_passed_over_in_silence(told, text, words):
    (line,) = told(text)
    assert [word for word in words if word not in line] == []
    assert "hunter2" not in line


def test_a_file_that_was_named_and_is_not_there_is_told(told, tmp_path):
    for path in (tmp_path / "none", tmp_path):
        (line,) = told(JARVIS_ENV_FILE=str(path))
        assert "JARVIS_ENV_FILE" in line


def test_ordinary_files_are_read_as_they_were_meant(told):
    text = "\ufeffJARVIS_WEB_PORT=9000 # web\r\nJARVIS_SYSTEM_PROMPT='C #1'\r\n\r\n  JARVIS_OIDC_NAME = C#  \r\n"
    assert told(text, JARVIS_WEB_PROCESSES="", JARVIS_MODEL="") == []
    found = told.config
    assert (found.web_port, found.system_prompt, found.oidc_name) == (9000, "C #1", "C#")
    assert (found.web_processes, found.model) == (2, "guide")
    assert told("JARVIS_SYSTEM_PROMPT=") == []
    assert told.config.system_prompt == ""
    assert told("JARVIS_WEB_PORT=9000", JARVIS_WEB_PORT="") == []
    assert told.config.web_port == 9000


def test_names_of_others_in_the_file_reach_those_who_look_for_them(told, monkeypatch):
    monkeypatch.setenv("HF_HOME", "/given")
    for name in ("CUDA_VISIBLE_DEVICES", "VLLM_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    assert told("CUDA_VISIBLE_DEVICES=1\nHF_HOME=/other\nVLLM_LOGGING_LEVEL=DEBUG\nJARVIS_WEB_PORT=9000") == []
    assert (os.environ["CUDA_VISIBLE_DEVICES"], os.environ["VLLM_LOGGING_LEVEL"]) == ("1", "DEBUG")
    assert os.environ["HF_HOME"] == "/given"  # the environment goes before the file
    assert "JARVIS_WEB_PORT" not in os.environ


def test_a_name_of_the_environment_that_does_nothing_is_warned_about(told, monkeypatch):
    for name in ("JARVIS_WEB_PROT", "JARVIS_SERVICE_HOST", "JARVIS_PORT", "JARVIS_PORT_80_TCP", "JARVIS_WEB_PORT"):
        monkeypatch.setenv(name, "1")
    assert find_warnings() == ["JARVIS_WEB_PROT is no setting. Is JARVIS_WEB_PORT meant?"]
