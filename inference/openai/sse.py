"""Reading an event stream: bytes to the data of events."""

from inference.openai.engine_values import UnreadableEvent

DONE = b"[DONE]"
MAX_EVENT_BYTES = 64 * 1024 * 1024  # bytes; the first event may hold every id of a long prompt


class SseParser:
    """Incremental parser of server-sent events: whatever the reads, the same events come out.

    Fields other than `data` and comments are dropped: OpenAI-compatible servers give them no meaning.
    """

    __slots__ = ("_parts", "_size")

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of an event that has begun; joined once there is a line's end in the newest
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that `data` completes; the end of a stream is the data `[DONE]`.

        Raises UnreadableEvent where an event is longer than MAX_EVENT.
        """
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            if self._size > MAX_EVENT_BYTES:
                raise UnreadableEvent(f"an event is longer than {MAX_EVENT_BYTES} bytes")
            if b"\n" not in data and b"\r" not in data and not self._parts[-2].endswith(b"\r"):
                return []
            data = b"".join(self._parts)
        held = b""
        if b"\r" in data:
            if data.endswith(b"\r"):  # its line feed may come with the next read
                data, held = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events = data.split(b"\n\n")
        tail = events.pop() + held
        self._parts, self._size = [tail] if tail else [], len(tail)
        result = []
        for event in events:
            if event.startswith(b"data: ") and b"\n" not in event:
                result.append(event[6:])
            elif (found := self._fields(event)) is not None:
                result.append(found)
        return result

    def close(self) -> bytes | None:
        """The data of a last event that no empty line has ended; None where there is none."""
        event = b"".join(self._parts).rstrip(b"\r\n")
        self._parts, self._size = [], 0
        return self._fields(event) if event else None

    @staticmethod
    def _fields(event: bytes) -> bytes | None:
        lines = []
        for line in event.split(b"\n"):
            name, _, value = line.partition(b":")
            if name == b"data":
                lines.append(value[1:] if value.startswith(b" ") else value)
        return b"\n".join(lines) if lines else None
