"""What the bot's own code says and does in between."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from voiceloop.frames import Word
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.processor import NotRunning
from voiceloop.sim.playback import RATE
from voiceloop.testing.chaos.items import Item, to
from voiceloop.testing.chaos.words import text_of

if TYPE_CHECKING:
    from voiceloop.call import Call
    from voiceloop.sim.artificial import Lexicon
    from voiceloop.testing.chaos.scene import Scene

__all__ = ["BotDoes", "BotSpeaks", "Timed"]


@dataclass(frozen=True, slots=True)
class Timed(Item):
    """Happens at a time of the call."""

    at: float = to(1.0, 1.0)
    """Seconds after the call has begun."""

    def join(self, scene: Scene) -> None:
        scene.timed.append(self)

    async def happen(self, call: Call, lexicon: Lexicon) -> None:
        """It is time. Runs as work of the call; a call that is over by then is no failure."""
        with suppress(NotRunning):
            await self._act(call, lexicon)

    async def _act(self, call: Call, lexicon: Lexicon) -> None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class BotSpeaks(Timed):
    """The bot's own code speaks."""

    kind: ClassVar[str] = "bot speaks"
    group: ClassVar[str] = "bot"

    how: str = to("say", "say")
    """``say``: text; ``play``: audio with words; ``queue``: word by word through `AudioStreamer.queue_audio`."""
    words: int = to(1, 1)
    interruptible: bool = to(True, True)

    def __str__(self) -> str:
        ways = {"say": "call.say", "play": "call.play", "queue": "queue_audio"}
        firm = "" if self.interruptible or self.how == "queue" else ", not to be interrupted"
        words = "1 word" if self.words == 1 else f"{self.words} words"
        return f"bot, at {self.at:g} s: {ways[self.how]} of {words}{firm}"

    async def _act(self, call: Call, lexicon: Lexicon) -> None:
        text = text_of("u", self.number, self.words)
        if self.how == "say":
            call.say(text, interruptible=self.interruptible)
            return
        audio, words = lexicon.speak(text)
        if self.how == "play":
            call.play(audio, text=text, words=words, interruptible=self.interruptible)
            return
        assert call._engine is not None
        streamer = next((each for each in call._engine.processors if isinstance(each, AudioStreamer)), None)
        for index, word in enumerate(words):
            start = round(word.start * RATE)
            end = round(words[index + 1].start * RATE) if index + 1 < len(words) else len(audio)
            spoken = Word(word.text, 0.0, word.end - word.start)
            if streamer is None or not await streamer.queue_audio(audio[start:end], [spoken]):
                return


@dataclass(frozen=True, slots=True)
class BotDoes(Timed):
    """The bot's own code acts on the call."""

    kind: ClassVar[str] = "bot does"
    group: ClassVar[str] = "bot"

    what: str = to("interrupt", "interrupt")
    """``interrupt``, ``digits``, ``hang up`` or ``end``."""

    def __str__(self) -> str:
        return f"bot, at {self.at:g} s: {_ACTS[self.what]}"

    async def _act(self, call: Call, lexicon: Lexicon) -> None:
        if self.what == "interrupt":
            call.interrupt()
        elif self.what == "digits":
            await call.send_digits("1w2")
        elif self.what == "hang up":
            call.hang_up()
        else:
            call.end("completed")


_ACTS = {
    "interrupt": "call.interrupt",
    "digits": "call.send_digits",
    "hang up": "call.hang_up",
    "end": "call.end",
}
