"""Sounds that calls play from files: decoded off the loop, once for all calls."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from voiceloop.offload import offload

__all__ = ["LONGEST", "Sounds", "decode"]

LONGEST: Final = 600.0
"""Seconds that a sound may last."""
MOST: Final = 32 * 1024 * 1024
"""Bytes that are kept: more than an hour. Beyond that the sound that was not used for longest is forgotten."""
_COST: Final = 0.05
"""Seconds that decoding takes in virtual time."""


def decode(path: str) -> bytes:
    """A WAV file as the phone's audio: mu-law, 8000 Hz, mono. Blocks, and takes time.

    Raises:
        WavError: it cannot be read, is no WAV file, or lasts longer than `LONGEST`.
    """
    from voiceloop.audio import mulaw
    from voiceloop.audio.resample import resample, to_int16
    from voiceloop.audio.wav import WavError, read_wav

    audio = read_wav(path)
    if audio.seconds > LONGEST:
        raise WavError(
            f"{path} lasts {audio.seconds:.0f} s, expected at most {LONGEST:g} s: cut it, or play parts of it"
        )
    if audio.rate > 1_000_000:
        raise WavError(f"{path} has {audio.rate} samples a second, expected at most 1000000: convert it to 8000 Hz")
    return mulaw.encode(to_int16(resample(audio.samples, audio.rate, mulaw.RATE)))


class Sounds:
    """What `Runtime` keeps of sounds, by name.

    Args:
        most: bytes that are kept.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._made: dict[str, asyncio.Future[bytes]] = {}

    def get(self, name: str) -> bytes | None:
        """A sound that is kept: mu-law, 8000 Hz, mono; None when there is none of that name."""
        found = self._kept.get(name)
        if found is not None:
            self._kept.move_to_end(name)
        return found

    async def load(self, name: str, make: Callable[[str], bytes] = decode) -> bytes:
        """A sound, made off the loop when it is not kept, once however many calls ask.

        Args:
            name: path of a WAV file, or what `make` makes it of.
            make: makes it, in a thread.

        Raises: what `make` raises; the next time it is tried again.
        """
        found = self.get(name)
        if found is not None:
            return found
        made = self._made.get(name)
        if made is None or made.get_loop() is not asyncio.get_running_loop():
            made = self._made[name] = asyncio.ensure_future(offload(make, name, virtual_cost=_COST))
            made.add_done_callback(lambda done: self._keep(name, done))
        return await asyncio.shield(made)

    def _keep(self, name: str, made: asyncio.Future[bytes]) -> None:
        if self._made.get(name) is made:
            del self._made[name]
        if made.cancelled() or made.exception() is not None:
            return
        self._kept[name] = made.result()
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self._most:
            self._kept.popitem(last=False)

    def close(self) -> None:
        """Forget everything, and wait for nothing."""
        for made in list(self._made.values()):
            made.cancel()
        self._made.clear()
        self._kept.clear()
