"""Joining an answer that is told again to what a client already has."""


class Diverged(Exception):
    """The answer told again is not the one that the client has begun to read."""


class Splice:
    """What a client that cannot take anything back still has to be sent. `clear`: the answer starts again."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.owed = ""  # what the client has, and must be told again first

    def clear(self) -> None:
        self.owed = "".join(self.sent)

    def add(self, text: str) -> str:
        """The part of `text` that the client does not have. Raises Diverged."""
        if self.owed:
            known = min(len(self.owed), len(text))
            if self.owed[:known] != text[:known]:
                raise Diverged
            self.owed, text = self.owed[known:], text[known:]
        if text:
            self.sent.append(text)
        return text
