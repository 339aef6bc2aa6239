"""The one port of the web: opened once, and who holds it where it cannot be opened."""

import asyncio
import errno
import socket

import psutil

from jarvis.launch.errors import LaunchError

MAX_BACKLOG_CONNECTIONS = 4096
MAX_ANSWER_SECONDS = 3.0  # seconds for one answer


def open_listener(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises LaunchError with what to do where that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise LaunchError(f"JARVIS_WEB_HOST={host} is no address: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it: a token must not wait for the reader's acknowledgement of the one before.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(MAX_BACKLOG_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise LaunchError(_explain_error(error, host, port)) from error
    return listener


def _explain_error(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        advice = f"stop that, or choose another one: JARVIS_WEB_PORT={port + 1} make run"
        return f"Port {port} is taken{describe_holder(port)}: {advice}"
    if error.errno == errno.EACCES:
        return f"Port {port} is kept for root: choose one over 1023: JARVIS_WEB_PORT=8090 make run"
    if error.errno == errno.EADDRNOTAVAIL:
        return (
            f"JARVIS_WEB_HOST={host} is no address of this machine: use 127.0.0.1, or 0.0.0.0 for all of its networks"
        )
    return f"Port {port} on {host} cannot be opened: {error.strerror}"


def describe_holder(port: int) -> str:
    """` by NAME (pid N)` where the process that listens on a port can be seen, else nothing."""
    try:
        for connection in psutil.net_connections("tcp"):
            own = connection.laddr
            if connection.status == psutil.CONN_LISTEN and own and own.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""


def local_address(host: str, port: int) -> str:
    """What a person types into a browser on this machine."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{reachable}:{port}"


async def answers(host: str, port: int, path: str = "/health") -> bool:
    """Whether an HTTP server there answers, with whatever status below 500."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        async with asyncio.timeout(MAX_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(target, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                status = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return len(status) > 1 and status[1].isdigit() and int(status[1]) < 500
