"""One web process: `python -m jarvis.launch.web --fd 5` serves on a listening socket that it was given.

The socket belongs to the supervisor, so the port stays open while a killed web process is replaced. Granian opens the
port itself, and has web processes of its own: `python -m jarvis.launch.web`.

For development, `--reload FOLDER …` serves with uvicorn and starts anew when a Python file in one of these changes.
"""

import argparse
import socket

from jarvis.lib.config import config

APPLICATION = "jarvis.asgi:application"
MAX_SHUTDOWN_SECONDS = 4  # open streams are cut after so long at a stop; their answers go on and can be followed again


def uvicorn(listener: socket.socket, reload_dirs: list[str]) -> None:
    from uvicorn import Config, Server

    from jarvis.launch.uvicorn_protocol import BoundedHeadProtocol

    settings = Config(
        APPLICATION,
        loop="uvloop",
        http=BoundedHeadProtocol,
        lifespan="off",
        ws_max_size=config.max_body_bytes,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=MAX_SHUTDOWN_SECONDS,
        reload=bool(reload_dirs),
        reload_dirs=reload_dirs,
    )
    if reload_dirs:
        from uvicorn.supervisors.statreload import StatReload

        StatReload(settings, Server(settings).run, [listener]).run()
    else:
        Server(settings).run(sockets=[listener])


def daphne(listener: socket.socket) -> None:
    from daphne.server import Server  # installs Twisted's reactor, so it comes before the application

    from jarvis.asgi import application

    Server(
        application,
        endpoints=[f"fd:fileno={listener.fileno()}"],
        websocket_max_message_size=config.max_body_bytes,
        application_close_timeout=MAX_SHUTDOWN_SECONDS,
        server_name="",
    ).run()


def granian() -> None:
    from granian.constants import Interfaces
    from granian.server import Server

    Server(
        APPLICATION,
        address=config.web_host,
        port=config.web_port,
        interface=Interfaces.ASGINL,
        workers=config.web_processes,
        log_enabled=False,
        respawn_failed_workers=True,
        workers_kill_timeout=MAX_SHUTDOWN_SECONDS,
    ).serve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, help="number of the file descriptor of the listening socket")
    parser.add_argument("--reload", nargs="+", default=[], metavar="FOLDER", help="start anew when code in it changes")
    options = parser.parse_args()
    server = "uvicorn" if options.reload else config.web_server
    if server == "granian":
        granian()
    elif server == "daphne":
        daphne(socket.socket(fileno=options.fd))
    else:
        uvicorn(socket.socket(fileno=options.fd), options.reload)


if __name__ == "__main__":
    main()
