"""uvicorn's HTTP with a limit on connections, so that open files do not run out under answers that are on their way;
with two limits on the head of a request, its size and the time that it may take; and three things
as the standard says: blanks around the values of headers do not belong to them (RFC 9110, 5.5), an answer to HTTP/1.0
is not in chunks (RFC 9112, 6.1), and what is no HTTP gets an error in the shape of all others.

Its parser reports a header only when it is complete, so a client could send one without end and fill the memory.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config
from jarvis.lib.open_files import max_connections
from jarvis.web.api_answer import PRIVATE_HEADERS
from jarvis.web.header_limits import MAX_HEADER_BYTES

REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}
FULL_RETRY_SECONDS = 5.0
SILENT_SHARE = 8  # one more connection in so many may wait for its request before it is refused
BLANKS = b" \t"


class UnframedCycle(RequestResponseCycle):
    """An answer to HTTP/1.0: where it does not tell its length, it ends with the connection."""

    async def send(self, message: Any) -> None:
        if not self.response_started:
            self.chunked_encoding = False
        else:  # of this piece alone, so that uvicorn misses nothing and finds nothing too much
            self.expected_content_length = len(message.get("body", b""))
        await super().send(message)


class BoundedHeadProtocol(HttpToolsProtocol):
    """Answers 431 where a head is longer than MAX_HEADER_BYTES, and 408 where it is not complete in time.

    Connections beyond `max_connections` get 503 for whatever they ask, and far beyond it before they ask.
    """

    max_connections = max_connections()
    is_surplus = False
    incomplete = True
    head = 0  # bytes come of it
    alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        surplus = len(self.connections) - self.max_connections
        if surplus > 0:
            self.is_surplus, self.app = True, refuse_connection
        if surplus > self.max_connections // SILENT_SHARE + 1:
            self.refuse(too_many_connections())
        else:
            self.set_alarm()

    def connection_lost(self, exc: Exception | None) -> None:
        self.stop_alarm()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.incomplete, self.head = True, 0

    def on_headers_complete(self) -> None:
        self.incomplete = False
        self.stop_alarm()
        self.headers[:] = [(name, value.strip(BLANKS)) for name, value in self.headers]
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before and self.scope["http_version"] == "1.0":
            self.cycle.__class__ = UnframedCycle  # nothing of it has run yet

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.head += len(data)
        if not self.incomplete or self.transport.is_closing():
            return
        if self.head > MAX_HEADER_BYTES:
            self.refuse(api_errors.headers_too_large(MAX_HEADER_BYTES))
        elif self.alarm is None:  # a later request of the connection; most come complete, and set none
            self.set_alarm()

    def handle_websocket_upgrade(self) -> None:
        if self.is_surplus:
            self.refuse(too_many_connections())
        else:
            super().handle_websocket_upgrade()

    def set_alarm(self) -> None:
        self.alarm = self.loop.call_later(config.web_request_seconds, self.refuse_late_request)

    def stop_alarm(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None

    def refuse_late_request(self) -> None:
        if self.head:
            self.refuse(api_errors.request_timeout(config.web_request_seconds))
        else:
            self.transport.close()  # browsers open connections ahead, and use some never

    def send_400_response(self, msg: str) -> None:
        self.refuse(api_errors.invalid_request("This is not a request of HTTP/1.1. Look at the client or the proxy."))

    def refuse(self, error: ApiError) -> None:
        """Answer and close; there is no request yet that the application could be asked about."""
        if self.transport.is_closing():
            return
        body = json.dumps(error.body()).encode()
        head = f"HTTP/1.1 {error.status} {REASONS[error.status]}\r\ncontent-type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in (PRIVATE_HEADERS | error.headers).items())
        head += f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()


def too_many_connections() -> ApiError:
    return api_errors.server_overloaded("The server holds as many connections as it can.", FULL_RETRY_SECONDS)


async def refuse_connection(scope: Any, receive: Any, send: Any) -> None:
    """The application of a connection that is one too many."""
    error = too_many_connections()
    body = json.dumps(error.body()).encode()
    told = PRIVATE_HEADERS | error.headers | {"content-type": "application/json", "connection": "close"}
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
