"""HTTP to an engine, over its unix socket or its address."""

import aiohttp

MAX_IDLE_SECONDS = 4.0  # vLLM closes a connection after 5 s of idleness
MAX_CONNECT_SECONDS = 10.0
READ_BUFFER_BYTES = 1  # bytes: what a relay has not asked for stays in the kernel, and comes in one piece later


def open_session(
    *,
    socket: str = "",
    api_key: str = "",
    read_buffer: int = READ_BUFFER_BYTES,
    connect_seconds: float = MAX_CONNECT_SECONDS,
) -> aiohttp.ClientSession:
    """A session that waits for an answer as long as it takes, but not for a connection.

    Without `socket` it goes to whatever address a call names. A small `read_buffer` leaves unread tokens to the kernel.
    """
    connector: aiohttp.BaseConnector
    if socket:
        connector = aiohttp.UnixConnector(socket, limit=0, keepalive_timeout=MAX_IDLE_SECONDS)
    else:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=MAX_IDLE_SECONDS)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(
            total=None, connect=connect_seconds, sock_connect=connect_seconds, sock_read=None
        ),
        headers={"authorization": f"Bearer {api_key}"} if api_key else None,
        read_bufsize=read_buffer,
        auto_decompress=True,
        trust_env=False,
    )
