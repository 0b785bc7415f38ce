"""A soft sound for the time in which an agent works and says nothing: the caller hears that somebody is there."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath

__all__ = ["Filler"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filler:
    """What is heard while a tool works: ``LLMAggregator(llm, tools=[book], filler=Filler())``.

    It is no speech and no answer: it is not remembered, delays the first words of the answer by 0.1 s at most, falls
    silent with these, and while the caller is listened to.

    Raises:
        ValueError: one of the numbers cannot be.
    """

    sound: str | PathLike[str] = ""
    """Path of a WAV file, played again and again; at most 10 minutes. Empty: somebody types, softly; needs no file."""
    after: float = 0.7
    """Seconds of silence after which it begins. What is quickly done is done without it."""
    level: float = -46.0
    """How loud it is made, dBFS (RMS over all of it). Speech on a phone is about -20 to -30."""

    def __post_init__(self) -> None:
        if not 0 <= self.after <= 60:
            raise ValueError(f"after is in seconds, from 0 to 60; got {self.after!r}")
        if not -70 <= self.level <= -10:
            raise ValueError(f"level is in dBFS, from -70 to -10; got {self.level!r}")

    @property
    def name(self) -> str:
        """What it is kept under."""
        return f"filler at {self.level:g} dBFS {fspath(self.sound)}".rstrip()

    def make(self, name: str = "") -> bytes:
        """The sound as the phone's audio: mu-law, 8000 Hz, mono. Blocks, and takes time.

        Raises:
            WavError: the file cannot be read, is no WAV file, is silent, or lasts too long.
        """
        from voiceloop.audio import keyboard, mulaw
        from voiceloop.audio.resample import to_float32, to_int16
        from voiceloop.audio.wav import WavError
        from voiceloop.sounds import decode

        path = fspath(self.sound)
        samples = to_float32(mulaw.decode(decode(path))) if path else keyboard.typing()
        loud = float((samples.astype("float64") ** 2).mean()) ** 0.5 if len(samples) else 0.0
        if loud < 1e-5:
            raise WavError(f"{path} is silent: expected a sound to fill a silence with")
        return mulaw.encode(to_int16(samples * (10 ** (self.level / 20) / loud)))
