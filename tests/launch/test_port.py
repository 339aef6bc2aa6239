"""The listening socket, and the line that says why there is none."""

import os
import socket

import pytest

from jarvis.launch import port
from jarvis.launch.errors import LaunchError


@pytest.fixture
def taken() -> object:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_told_with_its_holder_and_the_way_out(taken: int) -> None:
    with pytest.raises(LaunchError, match=rf"Port {taken} is taken by .* \(pid {os.getpid()}\).*JARVIS_WEB_PORT="):
        port.open_listener("127.0.0.1", taken)


def test_an_address_of_another_machine_is_told(taken: int) -> None:
    with pytest.raises(LaunchError, match=r"JARVIS_WEB_HOST=192.0.2.1 is no address of this machine"):
        port.open_listener("192.0.2.1", taken)


def test_a_name_that_does_not_resolve_is_told() -> None:
    with pytest.raises(LaunchError, match=r"JARVIS_WEB_HOST=no-such-host\.invalid is no address"):
        port.open_listener("no-such-host.invalid", 8090)


def test_accepted_connections_send_at_once() -> None:
    with (
        port.open_listener("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8090"),
        ("0.0.0.0", "http://127.0.0.1:8090"),
        ("::", "http://[::1]:8090"),
        ("::1", "http://[::1]:8090"),
        ("jarvis.example", "http://jarvis.example:8090"),
    ],
)
def test_the_address_shown_can_be_opened_on_this_machine(host: str, shown: str) -> None:
    assert port.local_address(host, 8090) == shown
