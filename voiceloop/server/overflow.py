"""What becomes of a caller whom the phone has no room for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from voiceloop.twilio import twiml as tw

__all__ = ["Overflow"]


@dataclass(frozen=True, slots=True)
class Overflow:
    """What Twilio is told to do with a call that is not taken. Made by one of its functions, or of verbs of your own::

    Overflow((tw.play("https://example.com/full.mp3"), tw.hang_up()))
    """

    verbs: tuple[tw.Verb, ...]
    """As of `voiceloop.twilio.twiml`."""

    @classmethod
    def busy_tone(cls) -> Overflow:
        """The busy tone. The call is not answered, and costs nothing."""
        return cls((tw.reject(busy=True),))

    @classmethod
    def spoken(
        cls,
        text: str = "All lines are busy. Please call again in a few minutes.",
        *,
        language: str = "",
        voice: str = "",
    ) -> Overflow:
        """A sentence, in Twilio's own voice; then it hangs up. The call is answered for that, and paid.

        Args:
            language: of the text, as Twilio's ``<Say>`` names it: ``de-DE``. Twilio's setting when empty.
            voice: as ``<Say>`` names it: ``Polly.Vicki``. Twilio's setting when empty.

        Raises:
            TwimlError: there is nothing to say, or too much.
        """
        if not text.strip():
            raise tw.TwimlError("expected what is said to a caller whom there is no room for, got nothing")
        made = cls((tw.say(text, voice=voice, language=language), tw.hang_up()))
        tw.document(*made.verbs)
        return made

    @classmethod
    def redirect(cls, url: str) -> Overflow:
        """What the TwiML at a URL says: of another region, another agent, a queue.

        Not this phone's own ``/voice``: it would be asked again at once.

        Args:
            url: Twilio sends a POST there with the same fields.

        Raises:
            TwimlError: it is none.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or url != url.strip():
            raise tw.TwimlError(f"expected a URL like 'https://eu.example.com/voice', got {url[:200]!r}")
        return cls((tw.redirect(url),))

    @classmethod
    def forward(cls, number: str, *, caller_id: str = "") -> Overflow:
        """Another telephone rings.

        Args:
            number: as of `voiceloop.twilio.twiml.dial`.
            caller_id: what is shown there; the caller's own number when empty.

        Raises:
            TwimlError: it is no number.
        """
        return cls((tw.dial(number, caller_id=caller_id), tw.hang_up()))
