"""Calls for `turns_barge_in.py` and `turns_echo.py`: the agent gives a long answer, the caller makes a sound over it.

Every call is a whole one, over the carrier's wire, in virtual time. What is measured is measured at the carrier: which
samples of the agent's voice were played, and when. Two kinds of calls:

- ``real``: the voice is Hibari, the recogniser Moonshine, voice activity Silero's; the caller is a recording, or the
  same voice at another pitch.
- ``artificial``: words as sounds that can be told apart for certain, for a recogniser like Google's and for voice
  activity by energy, which takes every noise for speech.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, Processor, TurnTaking
from voiceloop.audio import mulaw
from voiceloop.audio.resample import resample, to_int16
from voiceloop.audio.wav import read_wav
from voiceloop.conversation import Message
from voiceloop.errors import MissingExtra, ModelError
from voiceloop.frames import Interruption, Word
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults import LineFault, Noise
from voiceloop.sim.loop import run_virtual
from voiceloop.sim.playback import BLOCK
from voiceloop.sim.playback import QUIET as QUIET_CODES
from voiceloop.sim.profiles import PROFILES
from voiceloop.sim.truth import Truth
from voiceloop.stt.base import STT
from voiceloop.testing import ScriptedLLM, ScriptedTTS, dial
from voiceloop.testing.dialled import Dialled
from voiceloop.tts.base import TTS, Speech
from voiceloop.turns.events import TurnOptions
from voiceloop.vad.base import VADModel
from voiceloop.vad.energy import EnergyModel
from voiceloop.vad.processor import EnergyVAD, SileroVAD
from voiceloop.vad.silero import SileroModel
from voiceloop.weights import WeightsError

RATE = 8000
SPEECH = Path(__file__).resolve().parents[2] / "shared" / "speech"
GREETING = "Corner Coffee, hello."
QUESTION = "What can I have today?"
ANSWERS = (
    "Today we have coffee, latte, cappuccino and mocha, each of them small, medium or large. There is also green tea, "
    "a lemon cake that came out of the oven an hour ago, and sandwiches with cheese or ham.",
    "Of course. We open at seven in the morning from Monday to Friday and close around six, while on weekends you can "
    "find us here between nine and five. Parking is behind the building, next to the library.",
    "I can offer you a table near the window at half past six, or one outside under the big tree at seven. Both seat "
    "four people, and dogs are welcome if they stay on a leash.",
    "Your order is a large latte with oat milk, two plain croissants, and one carrot soup to take away. That makes "
    "nineteen dollars fifty, and everything will be ready for pickup in about twelve minutes.",
)
"""Long enough to be spoken over; no two words that sound alike within a few seconds of each other."""
AFTERWARDS = "All right."
"""What the agent says to everything that follows."""
LEVEL = -22.0
"""Of recordings, dBFS."""
LINE_NOISE = -60.0
"""Of the line, dBFS."""
ONSET_DB = 20.0
ABOVE_DB = 10.0
FRAME = 80
"""Samples judged together: 10 ms."""
QUIET = 2.6
"""So long the agent has been silent when it is done, seconds: longer than it can wait for a recogniser."""
EDGE = 160
"""Samples by which the ends of a word may be heard differently: 20 ms."""
KEY = 240
"""Samples by which a place in an answer is found again."""
SOUND = re.compile(b"[^" + re.escape(QUIET_CODES) + b"]")


# --- what the caller says ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sound:
    """Something that the caller does while the agent speaks."""

    name: str
    audio: bytes = field(repr=False)
    """Mu-law, 8000 Hz."""

    @property
    def onset(self) -> float:
        """Seconds from its beginning to where somebody would say that it begins: the first of 30 ms within `ONSET_DB`
        of its loudest 10 ms, and `ABOVE_DB` above its quietest tenth, the room. A breath before a word is no speech."""
        samples = mulaw.decode(self.audio).astype(np.float64)
        frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
        if not len(frames):
            return 0.0
        level = 10 * np.log10((frames**2).mean(axis=1) + 1.0)
        least = min(max(level.max() - ONSET_DB, np.percentile(level, 10) + ABOVE_DB), level.max() - 6.0)
        loud = level > least
        runs = [at for at in range(len(loud)) if loud[at : at + 3].all()]
        return (runs[0] if runs else 0) * FRAME / RATE


def recorded(folder: Path = SPEECH) -> list[Sound]:
    """The recordings of people, from 0.1 s before the onset on, `LEVEL`; none without the folder."""
    found = []
    for path in sorted(folder.glob("*.wav")):
        wav = read_wav(path)
        audio = mulaw.encode(to_int16(levelled(resample(wav.samples, wav.rate, RATE), LEVEL)))
        begin = max(0, round((Sound(path.stem, audio).onset - 0.1) * RATE))
        found.append(Sound(path.stem, audio[begin:]))
    return found


def at_pitch(audio: bytes, factor: float, level: float) -> bytes:
    """The same voice, lower (factor below 1) and slower or higher and quicker, its active level in dBFS."""
    samples = resample(mulaw.decode(audio).astype(np.float32) / 32768, round(RATE * factor), RATE)
    return mulaw.encode(to_int16(levelled(samples, level)))


def levelled(samples: npt.NDArray[np.float32], level: float) -> npt.NDArray[np.float32]:
    """The same, the mean power of what is within `ONSET_DB` of the loudest frame being of so many dBFS."""
    power = (samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64) ** 2).mean(axis=1)
    active = power[power > power.max(initial=1e-9) * 10 ** (-ONSET_DB / 10)].mean()
    louder = samples * np.float32(10 ** (level / 20) / active**0.5)
    return np.asarray(np.clip(louder, -0.98, 0.98), dtype=np.float32)


# --- the agent --------------------------------------------------------------------------------------------------------


class Kept(TTS):
    """A voice that makes each text once, and says it again from memory."""

    languages = ("en",)

    def __init__(self, inner: TTS, made: dict[str, list[Speech]] | None = None) -> None:
        self.inner = inner
        self.made: dict[str, list[Speech]] = {} if made is None else made
        """What was said of each text."""

    async def warm(self) -> None:
        """Warm the voice."""
        await self.inner.warm()

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        """One answer, when all its text is there."""
        whole = "".join([piece async for piece in text])
        if whole not in self.made:
            async with aclosing(self.inner.generate(_once(whole))) as pieces:
                self.made[whole] = [piece async for piece in pieces if isinstance(piece, Speech)]
        await asyncio.sleep(0.03)
        for piece in self.made[whole]:
            yield piece

    def audio(self, text: str) -> bytes:
        """What was said of a text."""
        return b"".join(piece.audio for piece in self.made.get(text, ()))

    def words(self, text: str) -> list[Word]:
        """When each of its words is spoken."""
        return [word for piece in self.made.get(text, ()) for word in piece.words]


async def _once(text: str) -> AsyncIterator[str]:
    yield text


@dataclass(frozen=True)
class Ears:
    """Who listens and who speaks in one kind of calls."""

    name: str
    vad: Callable[[], Processor]
    model: VADModel
    """Of the same voice activity."""
    stt: Callable[[], STT]
    """One for each call."""
    tts: Kept
    """Of the agent."""
    caller: Kept
    """Says what the caller says as text."""
    lexicon: Lexicon
    """The artificial words; empty where there are none."""

    @property
    def artificial(self) -> bool:
        """Whether words are artificial."""
        return self.name == "artificial"

    def say(self, text: str, factor: float = 1.0, level: float = -24.0) -> bytes:
        """What the caller says, mu-law: so much lower or higher and so loud. Artificial words are as they are."""
        audio = run_virtual(_collected(self.caller, text))
        return audio if self.artificial else at_pitch(audio, factor, level)


async def _collected(tts: TTS, text: str) -> bytes:
    async with aclosing(tts.generate(_once(text))) as pieces:
        return b"".join([piece.audio async for piece in pieces if isinstance(piece, Speech)])


def artificial() -> Ears:
    """Words for certain, heard as quickly as Google hears them."""
    from voiceloop.sim.google import GoogleSpeechSim
    from voiceloop.stt.google import GoogleSTT

    lexicon = Lexicon()

    def stt() -> STT:
        return GoogleSTT(channel=GoogleSpeechSim(lexicon, timing=PROFILES["google"].stt).channel)

    voice = Kept(ScriptedTTS(lexicon))
    return Ears("artificial", EnergyVAD, EnergyModel(), stt, voice, voice, lexicon)


@lru_cache(maxsize=1)
def real() -> Ears | None:
    """The embedded models; None where they are not installed or their weights are not there."""
    from voiceloop.stt.moonshine import Moonshine
    from voiceloop.tts.hibari import Hibari, HibariOptions

    model, moonshine, tts, caller = SileroModel(), Moonshine(), Hibari(), Hibari(HibariOptions(speed=1.15))
    try:
        model.new_line()
        for provider in (moonshine, tts, caller):
            run_virtual(provider.warm())
    except (MissingExtra, ModelError, WeightsError):
        return None
    return Ears("real", SileroVAD, model, lambda: moonshine, Kept(tts), Kept(caller), Lexicon())


# --- a call -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of an answer while the caller made a sound. Times in seconds."""

    sound: str
    interrupted: bool
    """The answer was cut for good."""
    paused: tuple[float, ...]
    """How long the agent was silent, each time that it was silenced."""
    stopped: float | None
    """From the beginning of the caller's sound to the last sample of the agent's, when it was silenced after it."""
    missing: int
    """Words of the answer that were never heard whole."""
    repeated: int
    """Words of it that were heard whole more than once."""
    broken: int
    """Times that a word was broken off."""
    understood: str
    """What the caller said while the agent spoke, as the bot remembers it."""
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """One sound over one answer."""

    sound: Sound
    answer: str
    """What the agent says."""
    after: float
    """Seconds of it before the sound."""


def moments(sounds: Sequence[Sound], seed: int, *, early: float = 0.6, late: float = 6.0) -> list[Moment]:
    """Each sound somewhere over one of the answers."""
    draw = random.Random(f"moments {seed}")
    return [
        Moment(sound, ANSWERS[index % len(ANSWERS)], round(draw.uniform(early, late), 3))
        for index, sound in enumerate(sounds)
    ]


def call(
    ears: Ears,
    moment: Moment,
    *,
    seed: int = 0,
    options: TurnOptions | None = None,
    faults: Sequence[LineFault] = (),
) -> Seen:
    """One call, in virtual time. Where words are real the line has a little noise: none is digitally silent.

    Args:
        seed: of the line.
        faults: what else is wrong with it.
    """
    asks = ears.say(QUESTION)
    noise = () if ears.artificial else (Noise(level=LINE_NOISE, seed=seed),)
    line = CarrierOptions(seed=seed, faults=(*faults, *noise))
    return run_virtual(_call(ears, moment, asks, options, line), strict=True)


async def _call(ears: Ears, moment: Moment, asks: bytes, options: TurnOptions | None, line: CarrierOptions) -> Seen:
    def reply(messages: Sequence[Message]) -> str:
        asked = [message for message in messages if message.role == "user" and not getattr(message, "aside", False)]
        return moment.answer if len(asked) <= 1 else AFTERWARDS

    stt, llm = ears.stt(), ScriptedLLM(reply)

    def bot(call: Call) -> Pipeline:
        heard = [call.transport, ears.vad(), stt, TurnTaking(GREETING, options)]
        return Pipeline([*heard, LLMAggregator(llm), ears.tts, AudioStreamer()])

    given = {"stt": stt, "llm": llm, "tts": ears.tts, "lexicon": ears.lexicon}
    async with dial(bot, vad=ears.model, carrier=line, invariants=None, **given) as caller:  # type: ignore[arg-type]
        truth = caller.carrier.truth
        await caller.caller.hears(silence=0.5)
        asked = await caller.says(asks)
        await caller.carrier.when(lambda: truth.first_sound_after(asked.speech_ended) is not None)
        first = truth.first_sound_after(asked.speech_ended)
        assert first is not None, "the agent did not answer"
        await asyncio.sleep(max(0.0, first + moment.after - asyncio.get_running_loop().time()))
        said = await caller.says(moment.sound.audio)
        await caller.waits(QUIET)
        await caller.caller.hears(silence=QUIET)
        report = await caller.hangs_up()
        faults = tuple(fault.kind for fault in report.faults)
        return _seen(ears, moment, caller, first, said.started + moment.sound.onset, faults)


def _seen(ears: Ears, moment: Moment, caller: Dialled, first: float, began: float, faults: tuple[str, ...]) -> Seen:
    truth = caller.carrier.truth
    cut = [frame.answer for frame in caller.frames(Interruption)]
    interrupted = any(answer.text.strip().startswith(moment.answer[:20]) for answer in cut)
    heard = bytes(truth.playback.heard)[truth.sample_at(first) :]
    if ears.artificial:
        words = _artificial_words(ears.lexicon, heard, moment.answer)
    else:
        words = _real_words(ears.tts, heard, moment.answer)
    clears = [clear.at for clear in truth.clears if clear.at >= first]
    over = [at for at in clears if at >= began]
    last = _last_sound(truth, over[0]) if over else None
    memory = [message for message in caller.call.conversation if message.role == "user"]
    return Seen(
        moment.sound.name,
        interrupted,
        tuple(_silence(truth, at) for at in clears),
        None if last is None else max(0.0, last - began),
        *words,
        " / ".join(message.text for message in memory[1:]),
        faults,
    )


def _last_sound(truth: Truth, at: float) -> float:
    """When the last sample was heard of what a ``clear`` silenced. The block that is being played is played."""
    heard = truth.playback.heard[: truth.sample_at(at) + BLOCK]
    return truth.time_of(len(heard.rstrip(QUIET_CODES)))


def _silence(truth: Truth, at: float) -> float:
    """How long nothing was heard around a ``clear``."""
    after = truth.first_sound_after(at + BLOCK / RATE)
    return 0.0 if after is None else after - _last_sound(truth, at)


def _artificial_words(lexicon: Lexicon, heard: bytes, answer: str) -> tuple[int, int, int]:
    found = lexicon.listen(heard)
    whole, wanted = Counter(word.text for word in found if word.whole), Counter(answer.split())
    whole -= Counter(AFTERWARDS.split())
    return (wanted - whole).total(), (whole - wanted).total(), sum(not word.whole for word in found)


def _real_words(tts: Kept, heard: bytes, answer: str) -> tuple[int, int, int]:
    parts = played(tts.audio(answer), heard)
    words = [(round(word.start * RATE), round(word.end * RATE)) for word in tts.words(answer) if word.end > word.start]
    times = [sum(a <= start + EDGE and b >= end - EDGE for a, b in parts) for start, end in words]
    broken = sum(any(start + EDGE < b < end - EDGE for start, end in words) for _, b in parts)
    return sum(count == 0 for count in times), sum(count > 1 for count in times), broken


def played(made: bytes, heard: bytes) -> list[tuple[int, int]]:
    """Which parts of an answer's audio were heard, in the order in which they were: first sample, one past the last."""
    ours, theirs = np.frombuffer(made, np.uint8), np.frombuffer(heard, np.uint8)
    parts: list[tuple[int, int]] = []
    at = 0
    while (sound := SOUND.search(heard, at)) is not None:
        begin = sound.start()
        place = made.find(heard[begin : begin + KEY])
        if place < 0:  # another answer's, or the last samples
            break
        size = min(len(ours) - place, len(theirs) - begin)
        differ = np.flatnonzero(ours[place : place + size] != theirs[begin : begin + size])
        size = int(differ[0]) if len(differ) else size
        if parts and parts[-1][1] <= place <= parts[-1][1] + EDGE:
            parts[-1] = (parts[-1][0], place + size)
        else:
            parts.append((place, place + size))
        at = begin + size
    return parts
