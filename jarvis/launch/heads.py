"""uvicorn's HTTP, which would gather the head of a request without end, with an end.

Its parser tells of a header when it is whole, so a client could send one without end and fill the memory.
"""

import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inference.openai import errors
from jarvis.headers import LONGEST


class BoundedHeads(HttpToolsProtocol):
    """Answers 431 and closes once more than LONGEST has come of a head that has no end yet."""

    incomplete = True
    head = 0  # bytes come of it

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.incomplete, self.head = True, 0

    def on_headers_complete(self) -> None:
        self.incomplete = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.head += len(data)
        if self.incomplete and self.head > LONGEST and not self.transport.is_closing():
            body = json.dumps(errors.headers_too_large(LONGEST).body()).encode()
            head = (
                b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close"
            )
            self.transport.write(b"%b\r\ncontent-length: %d\r\n\r\n%b" % (head, len(body), body))
            self.transport.close()
