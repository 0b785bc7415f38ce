"""The thoughts of a reasoning model, taken out of what it writes. Pure."""

from __future__ import annotations

__all__ = ["Thoughts"]

_OPENING = ("<think>", "<thinking>")
_CLOSING = ("</think>", "</thinking>")


class Thoughts:
    """Leaves out what a reasoning model writes between ``<think>`` and ``</think>``: it is not meant to be spoken.

    Tags may come in pieces. Text that might yet become a tag is held back until that is decided.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._blank = True
        self.seen = False
        """Whether there was any."""

    def feed(self, text: str) -> str:
        """What of this piece, and of what was held back, is to be spoken."""
        text = self._held + text
        said = ""
        while True:
            place, tag = _first(text, _CLOSING if self._thinking else _OPENING)
            if place < 0:
                break
            if not self._thinking:
                said += text[:place]
            self._thinking = not self._thinking
            self.seen = True
            text = text[place + len(tag) :]
        held = _beginning(text, _CLOSING if self._thinking else _OPENING)
        self._held = text[len(text) - held :]
        if not self._thinking:
            said += text[: len(text) - held]
        return self._trimmed(said)

    def end(self) -> str:
        """What was held back, if it is to be spoken."""
        held, self._held = self._held, ""
        return "" if self._thinking else self._trimmed(held)

    def _trimmed(self, said: str) -> str:
        """Without the empty lines between thoughts and answer."""
        if self._blank and self.seen:
            said = said.lstrip()
        self._blank = self._blank and not said
        return said


def _first(text: str, tags: tuple[str, ...]) -> tuple[int, str]:
    """Where the first tag begins, and which it is; -1 when there is none."""
    found = [(place, tag) for tag in tags if (place := text.find(tag)) >= 0]
    return min(found, default=(-1, ""))


def _beginning(text: str, tags: tuple[str, ...]) -> int:
    """How many characters at the end of the text may be the beginning of a tag."""
    longest = max(map(len, tags)) - 1
    for length in range(min(longest, len(text)), 0, -1):
        if any(tag.startswith(text[-length:]) for tag in tags):
            return length
    return 0
