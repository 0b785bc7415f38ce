"""How `CartesiaTTS` speaks and how long it waits. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["CartesiaOptions", "settings"]


@dataclass(slots=True, frozen=True)
class CartesiaOptions:
    """How `CartesiaTTS` speaks, and its limits. None leaves a thing to Cartesia.

    Ranges: https://docs.cartesia.ai/api-reference/tts/websocket.
    """

    language: str | None = None
    """Of the text, such as ``en``. In a call it is that of the bot."""
    speed: float | None = None
    """Factor, 0.6 to 1.5; sonic-3 and newer, as the three after it."""
    volume: float | None = None
    """Factor, 0.5 to 2.0."""
    emotion: str | None = None
    """Such as ``calm`` or ``sympathetic``."""
    pronunciation_dict_id: str | None = None
    """Of a dictionary made at Cartesia."""
    max_buffer_delay_ms: int = 0
    """0: text is handed over phrase by phrase, and each is spoken at once. Up to 5000: word by word as it is written,
    and Cartesia waits so many milliseconds at most for more, for the sake of its melody."""
    eager: bool = True
    """While the model writes so quickly that the next words come before one is spoken, the first word of an answer is
    spoken as soon as it is whole, and phrases follow. False: an answer begins with a phrase, 60 to 100 ms later; its
    first word is then spoken in the knowledge of the second."""
    idle: float = 0.2
    """Seconds without new text after which the words that are there are spoken as they are."""
    pause: float = 0.8
    """Seconds without text and audio after which what follows is spoken in a new context. Cartesia gives up a context
    after 1 s."""
    ahead: float = 10.0
    """Seconds of audio, about, that wait to be taken beyond which no more text is handed over: an answer that is cut
    off is not paid for in full."""
    contexts: int | None = None
    """Contexts of this process at once, which is the answers that are being made; further ones wait. Set it to what the
    plan allows, divided by the number of processes. None: no limit of one's own."""
    wait: float = 3.0
    """Seconds that an answer waits, all in all, while as many contexts are in use as the plan or `contexts` allows."""
    stall: float = 2.0
    """Seconds of silence from Cartesia, when something is due, after which the rest is asked for again."""
    tries: int = 3
    """Requests for the same words before it is an error. Each new word counts anew."""
    connect: float = 5.0
    """Seconds until a socket is open, TLS included."""
    renew: float = 240.0
    """Seconds without use after which the socket is replaced by a new one. Cartesia closes it after 300 s."""
    version: str = "2026-08-14"
    """Of Cartesia's interface, as a date."""

    def __post_init__(self) -> None:
        _within("speed", self.speed, 0.6, 1.5)
        _within("volume", self.volume, 0.5, 2.0)
        _within("max_buffer_delay_ms", self.max_buffer_delay_ms, 0, 5000)
        _within("pause", self.pause, 0.1, 0.95)
        _within("idle", self.idle, 0.02, self.pause)
        _within("renew", self.renew, 1.0, 290.0)
        if min(self.ahead, self.wait, self.stall, self.connect) <= 0:
            raise ValueError("ahead, wait, stall and connect must be more than 0 s")
        if self.tries < 1:
            raise ValueError(f"tries must be at least 1, got {self.tries}")
        if self.contexts is not None and self.contexts < 1:
            raise ValueError(f"contexts must be at least 1, or None, got {self.contexts}")


def _within(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not least <= value <= most:
        raise ValueError(f"{name} must be between {least:g} and {most:g}, got {value}")


def settings(voice: str, model: str, options: CartesiaOptions) -> dict[str, Any]:
    """The fields that are the same in every request of a context, which Cartesia demands.

    Word times are wanted as written ("9:30"), not as spoken ("nine thirty").
    """
    config = {"speed": options.speed, "volume": options.volume, "emotion": options.emotion}
    chosen: dict[str, Any] = {
        "language": options.language,
        "pronunciation_dict_id": options.pronunciation_dict_id,
        "generation_config": {name: value for name, value in config.items() if value is not None} or None,
    }
    return {
        "model_id": model,
        "voice": {"id": voice},
        "output_format": {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000},
        "max_buffer_delay_ms": options.max_buffer_delay_ms,
        "add_timestamps": True,
        "use_normalized_timestamps": False,
    } | {name: value for name, value in chosen.items() if value is not None}
