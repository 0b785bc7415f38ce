"""The voice: the provider around a stand-in, and the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.errors import ModelError, VoiceloopError
from voiceloop.frames import Word
from voiceloop.tts.base import Speech
from voiceloop.tts.hibari import Hibari, HibariOptions
from voiceloop.tts.hibari_model import RATE, HibariModel, Voice, with_output
from voiceloop.tts.phrases import PhraseRules


class Tone:
    """Says each word as 0.2 s of tone, with 0.1 s of silence before the first and after the last."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.around: list[tuple[str, str]] = []

    def speak(self, text: str, *, before: str = "", after: str = "") -> Voice:
        self.said.append(text)
        self.around.append((before, after))
        words = text.split()
        tone = 0.3 * np.sin(np.arange(round(0.2 * RATE) * len(words)) * 0.2)
        edge = np.zeros(RATE // 10)
        times = tuple(Word(word, 0.1 + 0.2 * at, 0.3 + 0.2 * at) for at, word in enumerate(words))
        if before:
            edges, shift = (edge[:0], edge), 0.1
        else:
            edges, shift = (edge, edge), 0.0
        if after:
            edges = (edges[0], edge[:0])
        times = tuple(Word(word.text, word.start - shift, word.end - shift) for word in times)
        samples = np.concatenate((edges[0], tone, edges[1])).astype(np.float32)
        return Voice(samples, times, bool(before), bool(after))


async def pieces(*texts: str, gap: float = 0.0) -> AsyncIterator[str]:
    for text in texts:
        yield text
        await asyncio.sleep(gap)


async def speak(tts: Hibari, *texts: str) -> list[Speech]:
    return [speech async for speech in tts.generate(pieces(*texts))]


def tone_voice(model: Tone, **options: Any) -> Hibari:
    return Hibari(HibariOptions(**options), model=model)  # type: ignore[arg-type]


async def test_phrases_come_while_the_text_is_still_being_written() -> None:
    model = Tone()
    loop = asyncio.get_running_loop()
    start = loop.time()
    times = []
    text = pieces("Sure thing, ", "my dear ", "friend. ", "Anything ", "else?", gap=1.0)
    async for _ in tone_voice(model, cost=0.25).generate(text):
        times.append(loop.time() - start)
    assert model.said == ["Sure thing,", "my dear friend.", "Anything else?"]
    assert times == [
        0.25,
        0.25,
        2.5,
        5.75,
    ]  # the second is a pause at once; the text is written only while someone reads it here


async def test_times_count_from_the_first_sample_and_pauses_lie_between_phrases() -> None:
    voice = tone_voice(Tone(), sentence_pause=0.3, clause_pause=0.12)
    clause, pause, sentence, last = await speak(voice, "One two three, four five. Six. ")
    near = pytest.approx
    assert [edge for word in clause.words for edge in (word.start, word.end)] == near(
        [0.02, 0.22, 0.22, 0.42, 0.42, 0.62]
    )
    # 0.12 s between the sounds, of which 0.02 s on each side is edge. After the first phrase the pause comes at once.
    assert pause == Speech(b"\xff" * round(0.08 * 8000))
    begin = (len(clause.audio) + len(pause.audio)) / 8000
    assert sentence.words[0].start == near(begin + 0.02, abs=0.006)
    begin += len(sentence.audio) / 8000
    assert last.words[0].start == near(begin + 0.3 - 0.02, abs=0.006)
    assert last.words[0].end == near(begin + len(last.audio) / 8000 - 0.02, abs=0.006)


async def test_a_divided_clause_is_spoken_as_parts_of_one_sentence_without_a_pause() -> None:
    model = Tone()
    first, second, third = await speak(tone_voice(model), "I can **help** you ", "with that. ", "Bye.")
    assert model.said == ["I can help you", "with that.", "Bye."]
    assert model.around == [("", "with somebody else as well."), ("I can help you", ""), ("", "")]
    # 0.02 s of edge where the clause begins and ends, none at the joint; then the pause of a sentence before "Bye".
    assert [len(piece.audio) for piece in (first, second, third)] == [
        round(seconds * 8000) for seconds in (0.02 + 0.8, 0.4 + 0.02, 0.3 - 0.04 + 0.24)
    ]
    assert first.words[-1].end == pytest.approx(second.words[0].start) == pytest.approx(len(first.audio) / 8000)
    # Both sides of the joint are silent, so there is no click.
    edge = [abs(int(mulaw.decode(piece)[0])) for piece in (first.audio[-1:], second.audio[:1])]
    assert max(edge) < 300


async def test_without_joints_a_clause_is_spoken_as_a_whole() -> None:
    model = Tone()
    await speak(tone_voice(model, phrases=PhraseRules(soft=False)), "I can help you ", "with that. ")
    assert model.said == ["I can help you with that."]
    assert model.around == [("", "")]


async def test_marks_are_not_spoken_but_stay_in_the_words() -> None:
    model = Tone()
    (speech,) = await speak(tone_voice(model), "- **Hello** there 🙂")
    assert model.said == ["Hello there"]
    assert [word.text for word in speech.words] == ["-", "**Hello**", "there", "🙂"]


async def test_what_cannot_be_spoken_gives_words_without_time_and_a_moment_of_silence() -> None:
    model = Tone()
    assert await speak(tone_voice(model), "🙂 ...") == [
        Speech(words=(Word("🙂", 0, 0), Word("...", 0, 0))),
        Speech(b"\xff" * 160),
    ]
    assert await speak(tone_voice(model), "", "  ", "\n") == []
    assert model.said == []


async def test_the_audio_is_loud_enough_and_never_clips() -> None:
    (speech,) = await speak(tone_voice(Tone()), "Hello there")
    samples = mulaw.decode(speech.audio) / 32768
    assert 0.55 < np.abs(samples).max() < 0.72


async def test_closing_half_way_leaves_nothing_behind() -> None:
    voice = tone_voice(Tone()).generate(pieces("One two. ", "Three four. ", "Five.", gap=1.0))
    assert [word.text for word in (await anext(voice)).words] == ["One", "two."]
    await voice.aclose()


async def test_an_error_of_the_voice_is_raised_to_the_consumer() -> None:
    class Broken(Tone):
        def speak(self, text: str, *, before: str = "", after: str = "") -> Voice:
            raise ModelError("out of breath")

    with pytest.raises(VoiceloopError, match="out of breath"):
        await speak(tone_voice(Broken()), "Hello there.")


def test_building_loads_nothing_and_checks_its_options() -> None:
    Hibari()
    with pytest.raises(ValueError, match=r"between 0\.5 and 2\.0, got 3"):
        HibariOptions(speed=3)


def test_an_output_is_added_to_a_serialised_graph() -> None:
    assert with_output(b"", "ab") == b"\x3a\x06\x62\x04\x0a\x02ab"
    with pytest.raises(ValueError, match="too long"):
        with_output(b"", "x" * 130)


# --- the real voice -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> HibariModel:
    try:
        return HibariModel("heart", 1.0)
    except VoiceloopError as error:
        pytest.skip(str(error))


@pytest.mark.models
@pytest.mark.realtime
async def test_the_real_voice_speaks_every_word_in_order(model: HibariModel) -> None:
    text = "Sure, I can help. We open at 9:30 am on Jan. 5th, and a **latte** is $3.50! Bye-bye 🙂"
    speeches = await speak(Hibari(model=model), *(word + " " for word in text.split()))
    words = [word for speech in speeches for word in speech.words]
    assert [word.text for word in words] == text.split()
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    length = sum(len(speech.audio) for speech in speeches) / 8000
    assert 5 < length < 12
    assert edges[-1] <= length + 1e-9
    # "Sure,", a pause, "I can help.", "We open at 9:30 am on Jan. 5th,", the rest of that sentence, "Bye-bye".
    assert len(speeches) == 6
    by_text = {word.text: word.end - word.start for word in words}
    assert by_text["$3.50!"] > by_text["a"]
    assert by_text["🙂"] == 0


@pytest.mark.models
@pytest.mark.realtime
async def test_the_real_word_times_lie_where_the_sound_is(model: HibariModel) -> None:
    (speech,) = await speak(Hibari(model=model), "Coffee")
    (word,) = speech.words
    level = np.abs(mulaw.decode(speech.audio).astype(float))
    inside = level[round(word.start * 8000) : round(word.end * 8000)]
    assert inside.sum() > 0.95 * level.sum()


@pytest.mark.models
def test_the_same_text_gives_the_same_samples_and_a_long_one_is_said_in_runs(model: HibariModel) -> None:
    text = "one two three four five six seven eight nine ten " * 15
    voice = model.speak(text)
    assert [word.text for word in voice.words] == text.split()
    assert np.array_equal(voice.samples, model.speak(text).samples)
    assert voice.words[-1].end <= len(voice.samples) / RATE


@pytest.mark.models
def test_a_voice_that_does_not_exist_is_named(model: HibariModel) -> None:
    with pytest.raises(ModelError, match=r"no voice 'nobody'; it has .*heart"):
        HibariModel("nobody", 1.0)


@pytest.mark.models
def test_a_part_of_a_sentence_sounds_as_in_the_whole_sentence(model: HibariModel) -> None:
    whole = model.speak("Your parcel is at the depot in Leeds.")
    first = model.speak("Your parcel is at the depot", after="in Leeds.")
    second = model.speak("in Leeds.", before="Your parcel is at the depot")
    assert np.array_equal(np.concatenate((first.samples, second.samples)), whole.samples)
    assert (first.cut_before, first.cut_after, second.cut_before, second.cut_after) == (False, True, True, False)
    shift = len(first.samples) / RATE
    words = [*first.words, *(Word(word.text, word.start + shift, word.end + shift) for word in second.words)]
    assert [word.text for word in words] == [word.text for word in whole.words]
    assert [word.start for word in words] == pytest.approx([word.start for word in whole.words])


@pytest.mark.models
def test_a_part_that_cannot_be_cut_out_is_spoken_by_itself(model: HibariModel) -> None:
    long = model.speak("in Leeds.", before="one two three four five six seven eight nine ten " * 15)
    assert (long.cut_before, long.cut_after) == (False, False)
    assert np.array_equal(long.samples, model.speak("in Leeds.").samples)


@pytest.mark.models
async def test_the_real_voice_does_not_fall_before_a_joint(model: HibariModel) -> None:
    first, second = await speak(Hibari(model=model), "Your parcel is at the depot ", "in Leeds.")
    assert [word.text for word in first.words] == ["Your", "parcel"]
    alone = model.speak("Your parcel").words[-1]
    # What ends a sentence is spoken much longer.
    assert first.words[-1].end - first.words[-1].start < 0.7 * (alone.end - alone.start)
    assert second.words[0].start < len(first.audio) / 8000 + 0.06
