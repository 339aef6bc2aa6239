"""Web servers as the launcher starts them, each a process of its own."""

import asyncio
import os
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import aiohttp
import pytest
from django.conf import settings
from django.db import connection

from jarvis.lib.config import BASE
from tests.support.live import static_files


def start_server(kind, listener, **more):
    """The server as the launcher starts it, on the test's database."""
    fd = listener.fileno()
    env = os.environ | {
        "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=connection.settings_dict["NAME"]).geturl(),
        "JARVIS_WEB_SERVER": kind,
        "JARVIS_WEB_PORT": str(listener.getsockname()[1]),
        "JARVIS_SECRET_KEY": settings.SECRET_KEY,
        **more,
    }
    command = [sys.executable, "-m", "jarvis.launch.web"]
    if kind == "granian":  # opens the port itself
        listener.close()
        return subprocess.Popen(command, cwd=BASE, env=env)
    return subprocess.Popen([*command, "--fd", str(fd)], cwd=BASE, env=env, pass_fds=[fd])


@pytest.fixture(params=["uvicorn", "daphne", "granian"])
async def server(request, transactional_db):
    static_files()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        child = start_server(request.param, listener)
        try:
            await wait_server(port, child)
            yield f"127.0.0.1:{port}"
        finally:
            child.terminate()
            child.wait(20)


async def wait_server(port, child):
    async with asyncio.timeout(60), aiohttp.ClientSession() as client:
        while child.poll() is None:
            try:
                async with client.get(f"http://127.0.0.1:{port}/health"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
    raise RuntimeError("The server ended at once.")
