"""A voice on this machine, without key and network: Hibari, English."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

from voiceloop.audio import mulaw, resample
from voiceloop.offload import Limit, offload
from voiceloop.tts.base import TTS, Speech, Word
from voiceloop.tts.hibari_model import RATE, HibariModel
from voiceloop.tts.joints import joints_of
from voiceloop.tts.level import faded, limit, voiced
from voiceloop.tts.phrases import Phrase, PhraseCutter, PhraseRules
from voiceloop.tts.plain import spoken_words
from voiceloop.tts.word_times import written_times

__all__ = ["Hibari", "HibariOptions"]

_PHONE_RATE = 8000
_SILENCE = b"\xff"
"""A sample of silence in mu-law."""
_EDGE = 0.02
"""Silence kept around the sound of a phrase, seconds, where a soft sound may hide."""
_FADE = 0.004
"""Seconds in which sound sinks to nothing and rises again where a sentence was divided."""


@dataclass(slots=True, frozen=True)
class HibariOptions:
    """How `Hibari` speaks."""

    voice: str = "heart"
    """The one inside the package. Hibari fetches others itself when they are first used."""
    speed: float = 1.0
    """Of speech: 0.5 is half as fast, 2.0 twice."""
    gain: float = 2.2
    """Factor: its voice peaks at about 0.36 of full scale, which is too soft for a phone."""
    ceiling: float = 0.7
    """No sample comes above this share of full scale (-3 dB)."""
    sentence_pause: float = 0.3
    """Silence between a sentence and what follows, seconds. None after the last: the caller's turn begins there."""
    clause_pause: float = 0.12
    """Silence between a phrase that ends within a sentence, at punctuation, and the next, seconds. Where a clause was
    divided without punctuation there is none."""
    concurrency: int = 2
    """Phrases synthesised at the same time in this process; further ones wait in order. One core each."""
    cost: float = 0.03
    """How long one phrase is said to take in virtual time, seconds."""
    phrases: PhraseRules = field(default_factory=PhraseRules)

    def __post_init__(self) -> None:
        if not 0.5 <= self.speed <= 2.0:
            raise ValueError(f"speed must be between 0.5 and 2.0, got {self.speed}")


class Hibari(TTS):
    """Speaks phrase by phrase while the text is still being written: one `Speech` for each.

    The first phrase of an answer ends early: at a comma or dash, or inside a clause before a word that opens a phrase
    ("I can help you | with that."). The later ones are sentences, as a rule. What is divided inside a clause is spoken
    as parts of one sentence: the beginning with words after it that are cut off again, so that its melody does not
    fall; the rest with its beginning before it, which is cut off too.

    Marks of emphasis, bullets, links and emoji are not spoken. Words are those of the text as written, including such
    marks; their times come from the voice itself (see `hibari_model`). Where it reads a word as several ("9:30"), or
    several as one, written words share the time in proportion to their letters; a word that is not spoken takes no
    time. An answer of which nothing can be spoken is 20 ms of silence.

    The package comes with ``voiceloop[local]``. One object serves all calls.

    Raises, from `warm` and `generate`: `MissingExtra`, `ModelError`.
    """

    languages = ("en",)

    def __init__(self, options: HibariOptions | None = None, *, model: HibariModel | None = None) -> None:
        """`model`: one that is loaded already, to share it."""
        self.options = options or HibariOptions()
        self._model = model
        self._limit = Limit(self.options.concurrency)
        self._loading = Limit(1)

    async def warm(self) -> None:
        """Load the voice, off the loop: about half a second, for moments of which (0.1 s) it holds the interpreter."""
        async with self._loading:
            if self._model is None:
                self._model = await offload(_loaded, self.options)

    async def aclose(self) -> None:
        """Forget the voice; the next use loads it again."""
        self._model = None

    async def generate(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        cutter = PhraseCutter(self.options.phrases)
        answer = _Answer(self.options)
        async for piece in text:
            for phrase in cutter.feed(piece):
                first = answer.position == 0.0
                yield await self._speak(phrase, answer)
                if first and (pause := answer.pause_now()):
                    yield pause  # the next phrase is still being written: this gives it time
        speech = await self._speak(cutter.close(), answer)
        if speech.audio or speech.words:
            yield speech
        if answer.worded and not answer.position:
            # Only an emoji, say. Without any audio it would look like a voice that failed, and never be "heard".
            yield Speech(_SILENCE * round(_EDGE * _PHONE_RATE))

    async def _speak(self, phrase: Phrase, answer: _Answer) -> Speech:
        words = spoken_words(phrase.text, line_start=answer.begins)
        answer.begins = False
        answer.worded = answer.worded or bool(words)
        said = " ".join(spoken for _, spoken in words if spoken)
        if not any(character.isalnum() for character in said):
            at = answer.position
            return Speech(words=tuple(Word(written, at, at) for written, _ in words))
        if self._model is None:
            await self.warm()
        model = self._model
        assert model is not None
        part = _Part(words, said, answer.clause, self._continued(phrase), answer.pause, answer.position)
        async with self._limit:
            cost = self.options.cost
            speech, cut_after = await offload(_render, model, self.options, part, virtual_cost=cost)
        answer.spoken(part, speech, cut_after)
        return speech

    def _continued(self, phrase: Phrase) -> str:
        """What to say after a phrase that ends inside a clause, so that it does not sound like an end."""
        rules = self.options.phrases
        joints = rules.joints or joints_of(rules.language)
        following = " ".join(spoken for _, spoken in spoken_words(phrase.following))
        return f"{following} {joints.filler}" if following and joints else ""


@dataclass(slots=True, frozen=True)
class _Part:
    """What is rendered at once."""

    words: list[tuple[str, str]]
    """As written and as spoken."""
    said: str
    before: str
    """What was said before in the same clause."""
    after: str
    """What may be said after in the same clause."""
    pause: float
    """Silence before it, seconds."""
    position: float
    """Seconds of audio before that silence."""


class _Answer:
    """How far the voice has come in one answer."""

    __slots__ = ("_options", "begins", "clause", "pause", "position", "worded")

    def __init__(self, options: HibariOptions) -> None:
        self._options = options
        self.begins = True
        self.worded = False
        """Whether there was any text but white space."""
        self.clause = ""
        """What was said of a clause that goes on."""
        self.pause = 0.0
        """Silence due before the next phrase, seconds."""
        self.position = 0.0
        """Seconds of audio so far."""

    def pause_now(self) -> Speech | None:
        """The silence due before the next phrase, if any, so that it needs none."""
        pause, self.pause = self.pause, 0.0
        silence = _SILENCE * round(max(0.0, pause - 2 * _EDGE) * _PHONE_RATE)
        self.position += len(silence) / _PHONE_RATE
        return Speech(silence) if silence else None

    def spoken(self, part: _Part, speech: Speech, cut_after: bool) -> None:
        """`cut_after`: the next phrase joins this one without a pause."""
        self.position += len(speech.audio) / _PHONE_RATE
        self.clause = f"{part.before} {part.said}".strip() if part.after else ""
        ended = part.said.rstrip("\"'”’)]}").endswith((".", "!", "?"))
        pause = self._options.sentence_pause if ended else self._options.clause_pause
        self.pause = 0.0 if cut_after else pause


def _loaded(options: HibariOptions) -> HibariModel:
    model = HibariModel(options.voice, options.speed)
    resample.resample(model.speak("Hello.").samples, RATE, _PHONE_RATE)  # builds tables; let no caller wait for it
    return model


def _render(model: HibariModel, options: HibariOptions, part: _Part) -> tuple[Speech, bool]:
    """Speak a part after its silence. Also tells whether it ends where the voice would go on at once."""
    voice = model.speak(part.said, before=part.before, after=part.after)
    start, end = voiced(voice.samples, RATE)
    edge = round(_EDGE * RATE)
    start = 0 if voice.cut_before else max(0, start - edge)
    end = len(voice.samples) if voice.cut_after else min(len(voice.samples), end + edge)
    samples = resample.resample(voice.samples[start:end], RATE, _PHONE_RATE)
    # After resampling: its filter overshoots a little where the limiter has bent a wave.
    samples = limit(samples, options.gain, options.ceiling)
    samples = faded(samples, _PHONE_RATE, _FADE, start=voice.cut_before, end=voice.cut_after)
    silence = _SILENCE * round(max(0.0, part.pause - 2 * _EDGE) * _PHONE_RATE)
    audio = silence + mulaw.encode(resample.to_int16(samples))
    begin = part.position + len(silence) / _PHONE_RATE
    finish = part.position + len(audio) / _PHONE_RATE
    shift = begin - start / RATE

    def place(seconds: float) -> float:
        return min(max(begin, seconds + shift), finish)

    heard = tuple(Word(word.text, place(word.start), place(word.end)) for word in voice.words)
    return Speech(audio, written_times(part.words, heard)), voice.cut_after
