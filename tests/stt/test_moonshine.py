"""The embedded recogniser: the provider around a stand-in, and the real one on real speech."""

from __future__ import annotations

import asyncio
import csv
import re
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from voiceloop.audio import mulaw, resample
from voiceloop.errors import ModelError, VoiceloopError
from voiceloop.sim.line_sounds import NOISES
from voiceloop.stt.base import Flush, Transcript
from voiceloop.stt.moonshine import Moonshine, MoonshineOptions
from voiceloop.stt.moonshine_model import MoonshineModel, read_tokens, text_of

SILENCE = b"\xff" * 8000
RANDOM = np.random.default_rng(1)


def speech(seconds: float) -> bytes:
    """Something that swells and fades as speech does, mu-law."""
    count = round(seconds * 8000)
    swell = 0.55 + 0.45 * np.sin(np.arange(count) * 8 * np.pi / 8000)
    return mulaw.encode((RANDOM.standard_normal(count) * 3000 * swell).astype(np.int16))


class Counting:
    """A model that answers how long the audio is, in tenths of a second."""

    def __init__(self) -> None:
        self.heard: list[float] = []

    def transcribe(self, samples: npt.NDArray[np.float32]) -> str:
        self.heard.append(round(len(samples) / 16000, 1))
        return f"{self.heard[-1]}"


async def stream(*items: bytes | Flush) -> AsyncIterator[bytes | Flush]:
    for item in items:
        if isinstance(item, bytes):
            for at in range(0, len(item), 800):
                yield item[at : at + 800]
                await asyncio.sleep(0.1)
        else:
            yield item


async def run(model: Counting, *items: bytes | Flush, **options: float) -> list[Transcript | Flush]:
    stt = Moonshine(MoonshineOptions(**options), model=model)  # type: ignore[arg-type]
    return [item async for item in stt.transcribe(stream(*items))]


def told(items: list[Transcript | Flush]) -> list[tuple[str, bool, int] | str]:
    return [(i.text, i.final, i.segment) if isinstance(i, Transcript) else "flush" for i in items]


async def test_at_a_flush_come_the_words_so_far_and_then_the_flush() -> None:
    model, flush = Counting(), Flush()
    items = await run(model, speech(1), SILENCE[:1600], flush)
    assert items[1] is flush
    assert told(items) == [("1.2", False, 0), "flush", ("1.2", True, 0)]


async def test_no_model_runs_when_only_silence_has_come_since_the_flush() -> None:
    model = Counting()
    await run(model, speech(1), SILENCE[:1600], Flush(), SILENCE, Flush(), SILENCE)
    assert model.heard == [1.2]


async def test_speech_after_a_flush_is_recognised_together_with_what_was_before() -> None:
    model = Counting()
    items = await run(model, speech(1), SILENCE[:1600], Flush(), speech(1), SILENCE[:1600], Flush())
    assert model.heard == [1.2, 2.4]
    assert told(items)[-1] == ("2.4", True, 0)


async def test_without_a_flush_the_words_come_at_the_end() -> None:
    assert told(await run(Counting(), SILENCE, speech(1))) == [("1.2", True, 0)]


@pytest.mark.parametrize("audio", [b"", SILENCE * 2, b"\xff\x7f" * 400], ids=["none", "silence", "short silence"])
async def test_silence_gives_no_words_and_runs_no_model(audio: bytes) -> None:
    model, flush = Counting(), Flush()
    assert await run(model, audio, flush) == [flush]
    assert model.heard == []


async def test_a_long_utterance_is_cut_in_its_pauses() -> None:
    model = Counting()
    parts = [speech(14), SILENCE[:3200], speech(14), SILENCE[:3200], speech(8)]
    items = await run(model, *parts)
    assert [(t[1], t[2]) for t in told(items)] == [(True, 0), (True, 1), (True, 2)]
    assert model.heard == pytest.approx([14.2, 14.3, 8.2], abs=0.15)


async def test_speech_without_any_pause_is_cut_all_the_same() -> None:
    model = Counting()
    await run(model, speech(70))
    assert sum(model.heard) == pytest.approx(70, abs=2)
    assert max(model.heard) <= 20


async def test_a_long_segment_is_closed_by_a_flush_so_that_work_stays_bounded() -> None:
    model = Counting()
    items = await run(model, *[part for _ in range(6) for part in (speech(6), SILENCE[:1600], Flush())])
    assert model.heard == pytest.approx([6.1, 12.3] * 3, abs=0.11)
    finals = [t for t in told(items) if t != "flush" and t[1]]
    assert [t[2] for t in finals] == [0, 1, 2]


async def test_utterances_wait_for_each_other_beyond_the_limit() -> None:
    model = Counting()
    stt = Moonshine(MoonshineOptions(concurrency=1, cost=1.0), model=model)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    start = loop.time()
    audio = mulaw.decode(speech(1))
    await asyncio.gather(*(stt.recognise(audio) for _ in range(3)))
    assert loop.time() - start == pytest.approx(3)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"longest <= 28, got 10\.0 and 60"):
        MoonshineOptions(longest=60)


def test_the_vocabulary_is_read_and_text_is_put_together() -> None:
    long = b"x" * 200
    data = (
        b"\x05<unk>\x03<s>\x04</s>" + b"\x01\xc3\x01\xa9" + b"\x05\xe2\x96\x81Ca" + bytes([200 - 128 + 128, 1]) + long
    )
    tokens = read_tokens(data)
    assert tokens == [b"<unk>", b"<s>", b"</s>", b"\xc3", b"\xa9", "▁Ca".encode(), long]
    assert text_of([1, 5, 3, 4, 2, 99], tokens) == "Caé"
    with pytest.raises(ModelError, match="cut: entry 1 of 9 bytes"):
        read_tokens(b"\x01a\x09abc")


# --- the real model -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model() -> MoonshineModel:
    try:
        return MoonshineModel.load()
    except VoiceloopError as error:
        pytest.skip(str(error))


def on_the_phone(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return mulaw.encode(resample.resample_int16(samples, file.getframerate(), 8000))


SPOKEN = ["ds_new_home.wav", "gc_df_today.wav", "lj_0008.wav", "pv_order_aa658f13.wav", "ps_cards_004.wav"]


@pytest.mark.models
@pytest.mark.speech
@pytest.mark.realtime
async def test_real_speech_on_the_phone_is_understood(model: MoonshineModel, speech_dir: Path) -> None:
    with (speech_dir / "manifest.tsv").open(newline="") as file:
        transcripts = {row["file"]: row["transcript"] for row in csv.DictReader(file, delimiter="\t")}
    stt = Moonshine(model=model)
    for name in SPOKEN:
        items = [item async for item in stt.transcribe(stream_at_once(on_the_phone(speech_dir / name)))]
        (transcript,) = items
        assert isinstance(transcript, Transcript)
        assert transcript.final
        words = re.sub(r"[^a-z' ]", "", transcript.text.lower().replace("-", " ")).split()
        assert words == transcripts[name].lower().split()


async def stream_at_once(audio: bytes) -> AsyncIterator[bytes | Flush]:
    yield audio


@pytest.mark.models
@pytest.mark.speech
@pytest.mark.realtime
async def test_utterances_recognised_side_by_side_do_not_mix(model: MoonshineModel, speech_dir: Path) -> None:
    stt = Moonshine(MoonshineOptions(concurrency=4), model=model)
    samples = [mulaw.decode(on_the_phone(speech_dir / name)) for name in SPOKEN[:3]]
    alone = [await stt.recognise(each) for each in samples]
    assert await asyncio.gather(*(stt.recognise(each) for each in samples * 2)) == alone * 2


@pytest.mark.models
@pytest.mark.realtime
async def test_the_real_model_is_not_asked_about_noise(model: MoonshineModel) -> None:
    stt = Moonshine(model=model)
    hiss = mulaw.encode((RANDOM.standard_normal(16000) * 300).astype(np.int16))
    assert [item async for item in stt.transcribe(stream_at_once(hiss))] == []


class Inventing(Counting):
    """A model that writes "You." whatever it hears."""

    def transcribe(self, samples: npt.NDArray[np.float32]) -> str:
        return " You."


@pytest.mark.parametrize(("seconds", "believed"), [(0.3, False), (0.9, False), (1.8, True)])
async def test_the_word_that_the_model_invents_for_a_short_sound_is_not_believed(
    seconds: float, believed: bool
) -> None:
    items = await run(Inventing(), SILENCE[:2400] + speech(seconds) + SILENCE[:2400])
    assert [item.text.strip() for item in items if isinstance(item, Transcript)] == (["You."] if believed else [])


@pytest.mark.models
@pytest.mark.realtime
@pytest.mark.parametrize("name", ["cough", "slam", "throat", "hum"])
async def test_the_real_model_gives_no_word_for_a_sound_that_is_none(model: MoonshineModel, name: str) -> None:
    stt = Moonshine(model=model)
    noise = np.random.default_rng(7).standard_normal(12000) * 20  # of the line, -64 dBFS
    sound = mulaw.decode(SILENCE[:4000] + NOISES[name](7, -22.0)).astype(np.float64)
    line = np.resize(noise, len(sound)) + sound
    assert [item async for item in stt.transcribe(stream_at_once(mulaw.encode(line.astype(np.int16))))] == []
