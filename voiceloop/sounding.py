"""What an agent plays: audio at hand, and files that are decoded first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from os import PathLike, fspath
from os.path import basename
from typing import Any, Final

from voiceloop.answer import Answer
from voiceloop.call_answers import Answering
from voiceloop.errors import VoiceloopError
from voiceloop.filler import Filler
from voiceloop.frames import Audio, Filling, Word
from voiceloop.journal import from_outside
from voiceloop.registry import Work
from voiceloop.runtime import Canned, Runtime
from voiceloop.sounds import decode

__all__ = ["Sounding"]

RATE: Final = 8000
"""Bytes a second of the phone's audio."""
AHEAD: Final = 5.0
"""Seconds of a sound that is played again and again which are given in one go, about."""


class Sounding(Answering):
    """The part of a `Call` that plays sounds."""

    replayed: bool

    def __init__(self, id: str, runtime: Runtime) -> None:
        super().__init__(id, runtime)
        self.waiting_sound = b""
        """Mu-law: what is heard under a silence in which something is worked at, when the model has a `Filler`."""
        self._fillings = 0
        self._named: dict[str, str] = {}  # files, as a journal knows them: a replay may find them elsewhere

    @from_outside
    def play(
        self,
        sound: bytes | str | PathLike[str],
        *,
        text: str = "",
        words: Iterable[Word] = (),
        interruptible: bool = True,
        loops: int = 1,
    ) -> Answer:
        """Play a sound, after what is being said now.

        A file is decoded off the loop and kept for all calls of the process; meanwhile the answer keeps its place. One
        that cannot be played is a fault, ``play.failed``: with a `text` the answer fails, without it is passed over.

        Args:
            sound: audio (mu-law, 8000 Hz), or the path of a WAV file of any rate, at most 10 minutes long.
            text: what it says, for the record.
            words: the words of `text`, with times in seconds from the first sample; without them what was heard of it
                is an estimate.
            interruptible: False for speech that the caller may not cut off.
            loops: how often it is played; 0: again and again, until it is interrupted, something else is said or played
                by the call, or the call ends by itself.

        Raises:
            ValueError: it would be played without end, and may not be interrupted.
        """
        if loops < 0 or (loops == 0 and not interruptible):
            raise ValueError(f"loops is 0 for a sound that may be interrupted, or at least 1; got {loops}")
        words = tuple(words)
        if isinstance(sound, bytes | bytearray | memoryview):
            return self._play(bytes(sound), text, words, interruptible, loops)
        return self._play_file(fspath(sound), text, words, interruptible, loops)

    def _play(self, audio: bytes, text: str, words: Sequence[Word], interruptible: bool, loops: int = 1) -> Answer:
        answer = self._begin_sound(text, interruptible, loops)
        self._give(answer, audio, words, loops)
        return answer

    def _play_file(self, path: str, text: str, words: Sequence[Word], interruptible: bool, loops: int) -> Answer:
        answer = self._begin_sound(text, interruptible, loops)
        audio = self._known(path, self.runtime.sounds.get(path))
        if audio is not None:
            self._give(answer, audio, words, loops)
        else:
            engine = self._running("play")
            engine.dispatch(Audio(answer, b"", silent=not text), engine.head)  # its place behind the others
            self._work_for(answer, self._open(path, answer, words, loops), "sound")
        return answer

    def _begin_sound(self, text: str, interruptible: bool, loops: int) -> Answer:
        answer = self._begin(self._running("play"), interruptible)
        answer.text = text
        answer.stamp("text", self.now)
        if not loops:
            self._endless[answer] = None
        return answer

    async def _open(self, path: str, answer: Answer, words: Sequence[Word], loops: int) -> None:
        """Decode a file and play it."""
        try:
            audio = await self.sound(path)
        except Exception as error:
            self.note_fault("play.failed", f"{error}")
            self._running("play").end(answer, "failed" if answer.text else "discarded")
        else:
            self._give(answer, audio, words, loops)

    async def sound(self, path: str, make: Callable[[str], bytes] = decode) -> bytes:
        """A sound that the process keeps, mu-law, 8000 Hz; a journal notes what comes of it.

        Args:
            path: of a WAV file.
            make: decodes it, off the loop.

        Raises: what `make` raises, such as `WavError`.
        """
        found: list[bytes] = []
        failed: list[Exception] = []

        async def load() -> None:
            if self.journal is not None and self.replayed:
                return  # the recording has it
            try:
                found.append(await self.runtime.sounds.load(path, make))
            except Exception as error:
                failed.append(error)

        await self.awaited(load)
        audio = self._known(path, found[0] if found else None)
        if audio is None:
            raise failed.pop() if failed else VoiceloopError(f"{path} could not be played when the call was recorded")
        return audio

    # --- a sound under the silence ---

    @asynccontextmanager
    async def filling(self, filler: Filler) -> AsyncIterator[None]:
        """While this is open (``async with call.filling(Filler()):``), a soft sound is heard where nobody speaks.

        One that cannot be made is a fault, ``filler.failed``, and there is none.
        """
        audio = await self.filler_sound(filler)
        number = self.fill(audio, filler.after)
        try:
            yield
        finally:
            if self._engine is not None:
                self.fill_no_more(number)

    async def filler_sound(self, filler: Filler) -> bytes:
        """The sound of a filler, mu-law; made once for all calls. Empty when it cannot be made."""
        try:
            return await self.sound(filler.name, filler.make)
        except Exception as error:
            self.note_fault("filler.failed", f"{error}")
            return b""

    def fill(self, audio: bytes, after: float, answer: Answer | None = None) -> int:
        """Have a sound, mu-law, played again and again where nobody speaks, until `fill_no_more`.

        Args:
            audio: what is played; empty for nothing.
            after: seconds of silence before it begins.
            answer: ends with this one.

        Returns: its number.
        """
        self._fillings += 1
        if audio:
            self.broadcast(Filling(self._fillings, audio, after, answer))
        return self._fillings

    def fill_no_more(self, number: int) -> None:
        """The sound of this number ends."""
        self.broadcast(Filling(number))

    def _known(self, path: str, audio: bytes | None) -> bytes | None:
        """What is kept of a file, as far as the call knows: a recording holds the sound itself."""
        if self.journal is None:
            return audio
        name = self._named.setdefault(path, f"sound {len(self._named) + 1}: {basename(path)}")
        canned = self.journal.canned(name, None if audio is None else Canned(audio))
        return None if canned is None else canned.audio

    def _give(self, answer: Answer, audio: bytes, words: Sequence[Word], loops: int) -> None:
        engine = self._running("play")
        answer.stamp("audio", self.now)
        engine.dispatch(Audio(answer, audio, tuple(words), silent=not answer.text), engine.head)
        if audio and loops != 1:
            self._work_for(answer, self._repeat(answer, audio, loops), "sound again")
        else:
            engine.finish(answer, -1)

    async def _repeat(self, answer: Answer, audio: bytes, loops: int) -> None:
        """Play it again, never more than some seconds ahead."""
        again = audio * max(1, round(AHEAD * RATE / len(audio)))
        left = len(audio) * (loops - 1) if loops else None
        while left != 0:
            await answer.room()
            piece = again if left is None else again[:left]
            left = None if left is None else left - len(piece)
            engine = self._running("play")
            engine.dispatch(Audio(answer, piece, silent=True), engine.head)
            await asyncio.sleep(len(piece) / RATE)  # in front of the line it may be held up, and there is no room
        self._running("play").finish(answer, -1)

    def _work_for(self, answer: Answer, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Run something that is over with an answer."""

        def done(work: Work) -> None:
            if self._engine is not None:
                self._engine.work_ended(work, answer)

        self._running("play").spawn(coroutine, name, answer=answer, on_done=done)
