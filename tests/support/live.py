"""Jarvis's web server in the test's own event loop, on a port to which real clients connect."""

import asyncio
import contextlib
import functools
import socket

import uvicorn
from django.core.management import call_command


@functools.cache
def static_files():
    """Collect them once per session, as the launcher does at each start."""
    call_command("collectstatic", verbosity=0, interactive=False)


@contextlib.asynccontextmanager
async def serve(port=0):
    """uvicorn with the application; gives its address. With `port` it comes back where it was before."""
    from jarvis.asgi import application
    from jarvis.launch.uvicorn_protocol import BoundedHeadProtocol

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    options = {"lifespan": "off", "log_config": None, "timeout_graceful_shutdown": 1}
    config = uvicorn.Config(application, http=BoundedHeadProtocol, **options)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 10)
        listener.close()


def list_tasks(*owners):
    """The tasks of this event loop that run one of these functions, or a method of one of these classes."""
    prefixes = tuple(f"{owner.__qualname__}." for owner in owners)
    names = [(task, f"{getattr(task.get_coro(), '__qualname__', '')}.") for task in asyncio.all_tasks()]
    return [task for task, name in names if name.startswith(prefixes)]
