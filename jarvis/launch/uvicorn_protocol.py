"""uvicorn's HTTP with two limits on the head of a request: its size, and the time that it may take.

Its parser reports a header only when it is complete, so a client could send one without end and fill the memory.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from jarvis.lib import api_errors
from jarvis.lib.api_errors import ApiError
from jarvis.lib.config import config
from jarvis.web.header_limits import MAX_HEADER_BYTES

REASONS = {408: "Request Timeout", 431: "Request Header Fields Too Large"}


class BoundedHeadProtocol(HttpToolsProtocol):
    """Answers 431 where a head is longer than MAX_HEADER_BYTES, and 408 where it is not complete in time."""

    incomplete = True
    head = 0  # bytes come of it
    alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
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
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.head += len(data)
        if not self.incomplete or self.transport.is_closing():
            return
        if self.head > MAX_HEADER_BYTES:
            self.refuse(api_errors.headers_too_large(MAX_HEADER_BYTES))
        elif self.alarm is None:  # a later request of the connection; most come complete, and set none
            self.set_alarm()

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

    def refuse(self, error: ApiError) -> None:
        """Answer and close; there is no request yet that the application could be asked about."""
        if self.transport.is_closing():
            return
        body = json.dumps(error.body()).encode()
        head = f"HTTP/1.1 {error.status} {REASONS[error.status]}\r\ncontent-type: application/json\r\n"
        head += f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()
