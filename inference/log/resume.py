"""Joining an answer that is told again to what a client already has."""


class Diverged(Exception):
    """The answer told again is not the one that the client has begun to read."""


class Splice:
    """What a client that cannot take anything back still has to be sent. `clear`: the answer starts again."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.pending_prefix = ""  # what the client has, and must be told again first

    def restart(self) -> None:
        self.pending_prefix = "".join(self.sent)

    def add_text(self, text: str) -> str:
        """The part of `text` that the client does not have. Raises Diverged."""
        if self.pending_prefix:
            known = min(len(self.pending_prefix), len(text))
            if self.pending_prefix[:known] != text[:known]:
                raise Diverged
            self.pending_prefix, text = self.pending_prefix[known:], text[known:]
        if text:
            self.sent.append(text)
        return text
