"""The person on the line: speaks, listens, interrupts, presses keys and hangs up, all by the loop's clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Final

from voiceloop.errors import VoiceloopError
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.checks import check_seconds
from voiceloop.sim.playback import RATE
from voiceloop.tts.base import TTS, Speech

__all__ = ["CallEnded", "Caller", "GaveUp", "Heard", "Interrupted", "Utterance", "speech_bounds"]

_QUIET_PEAK: Final = 100  # amplitude nobody would call speech: -50 dBFS
_QUIET_BELOW_PEAK: Final = 56  # nor is what is that many times (35 dB) below the loudest of the clip: room noise

_RECORDINGS: Final = (".wav", ".mp3")  # how no text ends that is to be spoken


class GaveUp(VoiceloopError, TimeoutError):
    """What the caller waited for did not happen in time."""


class CallEnded(VoiceloopError):
    """The call was over before what the caller waited for."""


@dataclass(slots=True)
class Utterance:
    """Something the caller said. Times are seconds on the loop's clock, when it left the caller's mouth."""

    audio: bytes = field(repr=False)
    """Mu-law, as it was to be said."""
    started: float
    """When the clip began."""
    ended: float
    """When the clip ended."""
    speech_started: float
    """When the first sample louder than the clip's silence was spoken."""
    speech_ended: float
    """When the last such sample had been spoken: latency counts from here."""
    cut: bool = False
    """True when the call ended first; the two ends are then the end of the call at the latest."""


@dataclass(slots=True, frozen=True)
class Heard:
    """A stretch of the agent's voice. Times are seconds on the loop's clock, at the caller's ear."""

    audio: bytes = field(repr=False)
    """Mu-law, from the first to the last sound, pauses included."""
    started: float
    """When the first sound was heard."""
    ended: float
    """When the last sound had been heard."""


@dataclass(slots=True, frozen=True)
class Interrupted:
    """How the agent took being spoken over."""

    speech: Utterance
    """What the caller said over it; `speech_started` is when that began."""
    agent_started: float
    """When the agent's voice began, seconds on the loop's clock."""
    agent_stopped: float
    """When the agent's last sound had been heard, seconds on the loop's clock."""


class Caller:
    """A person at the other end of a `Carrier`.

    Args:
        carrier: connected, or about to be.
        voice: says what is given as text; recordings need none. What it has said once is kept.
        silence: how long the agent must be silent to have finished, seconds.
        patience: how long the caller waits for anything, seconds.
    """

    def __init__(
        self, carrier: Carrier, voice: TTS | None = None, *, silence: float = 0.8, patience: float = 30.0
    ) -> None:
        self.carrier = carrier
        self.utterances: list[Utterance] = []
        """What the caller said so far, in order; the last one may still be going on."""
        self._voice = voice
        self._rendered: dict[str, bytes] = {}
        self._silence = silence
        self._patience = patience
        self._listened = 0  # sample up to which the agent's voice was returned by `hears`

    @property
    def speech_end(self) -> float | None:
        """When the last sample of speech of the last utterance left the caller's mouth; None before the first."""
        return self.utterances[-1].speech_ended if self.utterances else None

    def first_sound_after(self, at: float) -> float | None:
        """When the agent is first heard at or after a time; None when it is not."""
        return self.carrier.truth.first_sound_after(at)

    # --- speaking -------------------------------------------------------------------------------------------

    async def says(self, what: str | bytes | PathLike[str], *, until: float | None = None) -> Utterance:
        """Say a text (in the caller's voice), mu-law audio or a WAV file. Returns when the last sample was spoken.

        Waits for nobody: said while the agent speaks, it talks over it. When the call ends meanwhile it returns
        then, with `Utterance.cut`.

        Args:
            what: text, audio or file.
            until: break off after so many seconds of it, in the middle of a word too; `Utterance.cut` says so.
        """
        if until is not None:
            check_seconds("says takes until=", until)
        return await self._spoken(self._speak(await self._audio("says", what)), until)

    async def begins(self, what: str | bytes | PathLike[str]) -> Utterance:
        """Begin to say something and return at once, to do something else meanwhile: press keys, hang up, listen.

        The utterance ends at its `Utterance.ended`; `breaks_off` ends it sooner.
        """
        return self._speak(await self._audio("begins", what))

    def breaks_off(self) -> None:
        """Say nothing more of what has begun; unfinished utterances are marked as cut."""
        self.carrier.hush()
        now = self._loop_time()
        for utterance in self.utterances:
            if utterance.ended > now:
                self._cut(utterance)

    async def keeps_talking(self, what: str | bytes | PathLike[str], seconds: float) -> Utterance:
        """Say it over and over for so many seconds, without a pause but its own; breaks off then."""
        check_seconds("keeps_talking takes", seconds)
        audio = await self._audio("keeps_talking", what)
        if not audio:
            raise ValueError(f"keeps_talking needs something to say, {what!r} is empty")
        size = round(seconds * RATE)
        return await self._spoken(self._speak((audio * (size // len(audio) + 1))[:size]))

    async def coughs(self, seconds: float = 0.3, *, level: float = -22.0, seed: int = 0) -> Utterance:
        """Make a noise that is no word: a burst that dies away, as loud as `level` (RMS of its loudest part, dBFS)."""
        from voiceloop.sim.line_sounds import cough

        return await self.says(cough(seconds, level=level, seed=seed))

    async def hums(self, seconds: float = 0.8, *, level: float = -25.0) -> Utterance:
        """Make a sound that is no word: an even voiced hum, as loud as `level` (RMS, dBFS)."""
        from voiceloop.sim.line_sounds import hum

        return await self.says(hum(seconds, level=level))

    async def plays(self, recording: bytes | str | PathLike[str]) -> Utterance:
        """Play mu-law audio or the WAV file of this name, of any rate, into the line; otherwise as `says`."""
        recording = Path(recording) if isinstance(recording, str) else recording
        return await self._spoken(self._speak(await self._audio("plays", recording)))

    async def waits(self, seconds: float) -> None:
        """Say nothing for a while."""
        check_seconds("waits takes", seconds)
        await asyncio.sleep(seconds)

    async def presses(self, digits: str, *, interval: float = 0.25) -> None:
        """Press keys (``0-9*#A-D``), `interval` seconds apart."""
        if not isinstance(digits, str):
            raise TypeError(f'presses takes keys as a text, such as "1#", got {digits!r}')
        check_seconds("presses takes interval=", interval)
        for index, digit in enumerate(digits):
            if index:
                await asyncio.sleep(interval)
            self.carrier.press(digit)

    async def hangs_up(self, *, while_saying: str | bytes | PathLike[str] | None = None, after: float = 0.0) -> None:
        """Hang up, also in the middle of a word.

        Args:
            while_saying: begin to say this, and hang up in the midst of it.
            after: so many seconds from its beginning.
        """
        check_seconds("hangs_up takes after=", after)
        if while_saying is not None:
            utterance = self._speak(await self._audio("hangs_up", while_saying))
            await self._reached(utterance.started + after)
            await self.carrier.hang_up()
            self._cut(utterance)
            return
        await self.carrier.hang_up()

    # --- listening ------------------------------------------------------------------------------------------

    async def hears(self, *, silence: float | None = None, timeout: float | None = None) -> Heard:
        """Wait until the agent has spoken and then been silent for `silence` seconds; or until the call ends.

        Starts where the last `hears` (or `interrupts`) left off, so an answer that came while the caller was
        speaking or waiting is not missed. Raises `GaveUp` after `timeout` seconds, `CallEnded` when the call ended
        before the agent was heard.
        """
        quiet = self._quiet(silence)
        started = self._loop_time()
        try:
            async with asyncio.timeout(self._patience if timeout is None else timeout):
                first = await self._next_sound()
                end = await self._silence_after(first, quiet)
        except TimeoutError:
            raise self._gave_up(started) from None
        self._listened = end
        carrier = self.carrier
        return Heard(bytes(carrier.heard[first:end]), carrier.truth.time_of(first), carrier.truth.time_of(end))

    async def interrupts(
        self,
        what: str | bytes | PathLike[str],
        *,
        after: float,
        silence: float | None = None,
        timeout: float | None = None,
    ) -> Interrupted:
        """Speak when the agent has been speaking for `after` seconds, and wait for it to fall silent.

        Raises `GaveUp` when the agent says less than that, or does not stop within `timeout` seconds.
        """
        check_seconds("interrupts takes after=", after)
        audio = await self._audio("interrupts", what)
        quiet = self._quiet(silence)
        truth = self.carrier.truth
        started = self._loop_time()
        try:
            async with asyncio.timeout(self._patience if timeout is None else timeout):
                first = await self._next_sound()
                due = truth.time_of(first) + after
                await self._until(lambda: self._loop_time() >= due, "the agent had spoken long enough")
                spoken = truth.sound_until(first, quiet) - first
                if first + spoken + quiet <= truth.sample_at(due):
                    raise GaveUp(
                        f"expected the agent to speak for {after:.2f} s, but it fell silent after "
                        f"{spoken / RATE:.2f} s: give it more words, or a smaller after"
                    )
                utterance = await self._spoken(self._speak(audio))
                end = await self._stop_after(truth.sample_at(utterance.speech_started), quiet)
        except TimeoutError as error:
            raise error if isinstance(error, GaveUp) else self._gave_up(started) from None
        self._listened = end
        return Interrupted(utterance, truth.time_of(first), truth.time_of(end))

    def _quiet(self, silence: float | None) -> int:
        return round((self._silence if silence is None else silence) * RATE)

    async def _next_sound(self) -> int:
        playback = self.carrier.playback
        await self._until(lambda: playback.sound_end > self._listened, "the agent was heard")
        first = self.carrier.truth.next_sound(self._listened)
        assert first is not None
        return first

    async def _silence_after(self, sample: int, quiet: int) -> int:
        """One past the last sound from `sample` on before `quiet` samples of silence, or the end of the call."""
        playback = self.carrier.playback
        truth = self.carrier.truth

        def silent() -> bool:
            return len(playback.heard) - max(playback.sound_end, sample) >= quiet

        end = truth.sound_until(sample, quiet)
        if len(playback.heard) - end < quiet:  # not in what was heard so far
            await self.carrier.when(silent)
            end = truth.sound_until(sample, quiet)
        return end

    async def _stop_after(self, sample: int, quiet: int) -> int:
        """Where the agent stopped: after a ``clear`` at once, so that a quick answer is not taken for the old one."""
        truth = self.carrier.truth

        def cleared() -> list[int]:
            return [at for at in (truth.sample_at(clear.at) for clear in truth.clears) if at >= sample]

        waiting = asyncio.ensure_future(self._silence_after(sample, quiet))
        try:
            await self.carrier.when(lambda: bool(cleared()) or waiting.done())
            return truth.sound_until(cleared()[0], RATE // 50) if cleared() else await waiting
        finally:
            waiting.cancel()

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        if not await self.carrier.when(condition):
            raise CallEnded(f"the call ended ({self.carrier.end}) before {what}")

    def _gave_up(self, started: float) -> GaveUp:
        now = self._loop_time()
        playback = self.carrier.playback
        last = f"last heard at {self.carrier.truth.time_of(playback.sound_end):.2f} s" if playback.sound_end else "mute"
        return GaveUp(
            f"the caller waited from {started:.2f} s to {now:.2f} s for the agent to speak and fall silent: "
            f"the agent is {'still speaking' if playback.sound_end > self._listened else 'silent'}, {last}"
        )

    # --- what is said ---------------------------------------------------------------------------------------

    def _speak(self, audio: bytes) -> Utterance:
        carrier = self.carrier
        if carrier.ended:
            raise CallEnded(f"the call ended ({carrier.end}) before the caller could speak")
        start = carrier.say(audio)
        first, end = speech_bounds(audio)
        utterance = Utterance(audio, start, start + len(audio) / RATE, start + first / RATE, start + end / RATE)
        self.utterances.append(utterance)
        return utterance

    async def _spoken(self, utterance: Utterance, until: float | None = None) -> Utterance:
        end = utterance.ended if until is None else min(utterance.ended, utterance.started + until)
        try:
            if not await self._reached(end):
                self._cut(utterance)
        except asyncio.CancelledError:
            self.carrier.hush()  # whoever cancels `says` wants the caller quiet
            self._cut(utterance)
            raise
        if end < utterance.ended and not utterance.cut:
            self.carrier.hush()
            self._cut(utterance)
        return utterance

    async def _reached(self, at: float) -> bool:
        """Wait until the clock reads that, looked at every 20 ms; False when the call ends first."""
        return await self.carrier.when(lambda: self._loop_time() >= at - 1e-6)

    def _cut(self, utterance: Utterance) -> None:
        now = self._loop_time()
        utterance.cut = True
        utterance.speech_ended = min(utterance.speech_ended, now)
        utterance.ended = min(utterance.ended, now)

    async def _audio(self, method: str, what: str | bytes | PathLike[str]) -> bytes:
        """What is said as mu-law; `method` is named by the error when that is nothing that can be said."""
        if isinstance(what, bytes):
            return what
        if not isinstance(what, str):
            if not isinstance(what, PathLike):
                raise TypeError(f"{method} takes a text, mu-law bytes or a Path, got {what!r}")
            return _load(what)
        _check_text(method, what)
        if what not in self._rendered:
            if self._voice is None:
                raise ValueError(f"saying {what!r} needs a voice: Caller(carrier, voice=…), or give audio")
            async with aclosing(self._voice.generate(_once(what))) as speech:
                self._rendered[what] = b"".join([piece.audio async for piece in speech if isinstance(piece, Speech)])
        return self._rendered[what]

    def _loop_time(self) -> float:
        return asyncio.get_running_loop().time()


def _check_text(method: str, text: str) -> None:
    if not text.strip():
        raise ValueError(f"{method} takes a text with a word in it, mu-law bytes or a Path, got {text!r}")
    if text.lower().endswith(_RECORDINGS) and " " not in text:
        only = "" if text.lower().endswith(".wav") else ", and WAV files only"
        raise ValueError(f'{method}: a recording is given as Path("{text}"){only}; got the text {text!r}')


async def _once(text: str) -> AsyncIterator[str]:
    yield text


def _load(path: PathLike[str]) -> bytes:
    """A WAV file as mu-law, 8000 Hz."""
    from voiceloop.audio.mulaw import encode
    from voiceloop.audio.resample import resample, to_int16
    from voiceloop.audio.wav import read_wav

    recording = read_wav(path)
    return encode(to_int16(resample(recording.samples, recording.rate, RATE)))


def speech_bounds(audio: bytes) -> tuple[int, int]:
    """Where speech begins and ends in a mu-law clip: first sample, and one past the last; both 0 when it is silent.

    Speech is what is louder than -50 dBFS and than 35 dB below the clip's own peak, so that room noise is not.
    """
    import numpy as np

    from voiceloop.audio.mulaw import decode

    loudness = np.abs(decode(audio).astype(np.int32))
    threshold = max(_QUIET_PEAK, int(loudness.max(initial=0)) // _QUIET_BELOW_PEAK)
    loud = np.flatnonzero(loudness > threshold)
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, 0)
