"""How quick the services are: two sets of figures that have been published, for measuring a bot without the services.

``google``: Google's recogniser, a model and a voice of the usual kind. Time from the end of speech to the final result
of ``latest_long``: 878 ms median, 1155 ms at the 95th percentile over 1000 samples
(https://github.com/pipecat-ai/stt-benchmark); first token of a small hosted model 300 ms; first audio of Cartesia's
Sonic 90 ms (https://cartesia.ai/sonic). ``fast``: a recogniser like Deepgram's nova-3 (247 ms median, 298 ms, in the
same benchmark), a model with its prompt cached, 200 ms. How quickly the model goes on is ours to say: 100 tokens a
second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["PROFILES", "Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Delays of the three services."""

    stt: Literal["google", "fast"]
    """Which timing of `GoogleSpeechSim`."""
    model: float
    """Seconds until the model's first token."""
    rate: float
    """Tokens a second after that."""
    voice: float
    """Seconds from text to its first audio."""


PROFILES: Final = {
    "google": Profile(stt="google", model=0.300, rate=100.0, voice=0.090),
    "fast": Profile(stt="fast", model=0.200, rate=100.0, voice=0.090),
}
