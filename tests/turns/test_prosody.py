"""Whether the end of speech is heard to be one: by tones whose pitch is known, by what is no voice, by a voice."""

from __future__ import annotations

import time
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from voiceloop.audio import mulaw
from voiceloop.audio.resample import resample, to_int16
from voiceloop.errors import VoiceloopError
from voiceloop.turns.prosody import done, ending, pitches

RATE = 8000
Samples = npt.NDArray[np.float64]


def voice(begin: float, end: float, seconds: float = 0.7, turning: float = 0.4, loud: float = 0.05) -> Samples:
    """A buzz of 300 Hz and above, as a phone lets through: at `begin` Hz, from `turning` on towards `end` Hz."""
    at = np.arange(round(seconds * RATE)) / RATE
    part = np.clip((at - turning) / (seconds - turning), 0, 1)
    phase = 2 * np.pi * np.cumsum(begin * (end / begin) ** part) / RATE
    harmonics = range(int(300 / min(begin, end)) + 1, int(3400 / max(begin, end)))
    return np.asarray(loud * sum(np.cos(k * phase) / np.sqrt(k) for k in harmonics))


def phone(samples: Samples, silence: float = 0.15, noise: float = 0.0005) -> bytes:
    """On the line, with so many seconds of it silent behind."""
    line = np.concatenate([samples, np.zeros(round(silence * RATE))])
    line = line + noise * np.random.default_rng(1).standard_normal(len(line))
    return mulaw.encode(to_int16(np.clip(line, -1, 1).astype(np.float32)))


def test_pitch_that_falls_or_rises_steeply_sounds_done_and_level_pitch_does_not() -> None:
    falling, level, rising = (done(phone(voice(200, end))) for end in (130, 200, 320))
    assert falling > 0.6
    assert rising > 0.6
    assert level < 0.35


@pytest.mark.parametrize("hertz", [85, 130, 210, 330])
def test_pitch_is_found_though_the_phone_has_taken_its_fundamental(hertz: float) -> None:
    pitch, _ = pitches(voice(hertz, hertz))
    assert np.nanmedian(pitch) == pytest.approx(12 * np.log2(hertz / 100), abs=0.2)
    assert np.isnan(pitch).mean() < 0.1


def test_slope_is_that_of_the_voice_and_no_octave_is_jumped() -> None:
    heard = ending(phone(voice(160, 160 * 2 ** (-6 / 12))))  # six semitones down in 0.3 s
    assert heard is not None
    assert heard.slope == pytest.approx(-20, abs=3)


@pytest.mark.parametrize("silence", [0.0, 0.1, 0.2])
def test_silence_behind_the_voice_changes_little(silence: float) -> None:
    assert done(phone(voice(200, 130), silence)) > 0.6
    assert done(phone(voice(200, 200), silence)) < 0.35


def test_noise_20_db_below_the_voice_changes_little() -> None:
    loud = float(np.sqrt((voice(200, 200) ** 2).mean()))
    assert done(phone(voice(200, 130), noise=loud / 10)) > 0.55
    assert done(phone(voice(200, 200), noise=loud / 10)) < 0.4


def test_clipped_speech_is_judged_like_other_speech() -> None:
    assert done(phone(voice(200, 130, loud=2.0))) > 0.6
    assert done(phone(voice(200, 200, loud=2.0))) < 0.35


def whisper() -> Samples:
    return 0.05 * np.random.default_rng(2).standard_normal(5600) * np.hanning(5600)


@pytest.mark.parametrize(
    "audio",
    [
        b"",
        b"\xff",
        b"\xff" * 7200,
        b"\x00" * 7200,
        b"\x7f\xff" * 3600,
        phone(voice(200, 130)[:400], 0.0),
        phone(voice(200, 200)[:900], 0.0),
        phone(np.zeros(5600)),
        phone(np.zeros(5600), noise=0.1),
        phone(whisper()),
    ],
    ids=["nothing", "one sample", "zeros", "constant", "both zeros", "50 ms", "112 ms", "line", "noise", "whisper"],
)
def test_what_is_no_voice_tells_nothing(audio: bytes) -> None:
    assert done(audio) == 0.5


def test_sound_is_weak_evidence_whatever_is_heard() -> None:
    choose = np.random.default_rng(3)
    heard = [done(phone(voice(*choose.uniform(80, 390, 2)), noise=choose.uniform(0, 0.05))) for _ in range(60)]
    heard += [done(choose.bytes(int(choose.integers(0, 9000)))) for _ in range(60)]
    assert min(heard) >= 0.249
    assert max(heard) <= 0.751


def test_only_the_latest_audio_counts() -> None:
    end = phone(voice(200, 130, 0.8))
    assert done(phone(voice(90, 350, 2.0), 0.0) + end[-7200:]) == done(end[-7200:])


def test_a_judgement_takes_about_a_millisecond() -> None:
    audio = phone(voice(200, 130))
    done(audio)
    took = []
    for _ in range(20):
        begun = time.thread_time()
        done(audio)
        took.append(time.thread_time() - begun)
    assert min(took) < 0.004  # 1 ms where nothing else runs


SENTENCES = (
    "I would like to move my appointment to next Tuesday.",
    "Can you tell me when my parcel will arrive?",
    "My daughter needs a new pair of glasses before school begins.",
    "We ordered the wrong colour and want to send it back.",
    "Two tickets for the evening show on Saturday.",
    "The heating stopped working during the night.",
    "Could I speak to somebody about my bill?",
    "I think the red one was better than the blue one.",
    "Please put it on the same account as last time.",
    "Is there a train from the airport after midnight?",
    "She moved to a smaller flat near the river last winter.",
    "Nobody has called me back since Monday morning.",
    "I am looking for a hotel with a garden and a quiet room.",
    "What is the cheapest way to send this to Canada?",
    "My number is on the back of the old card.",
    "The doctor told me to come again in three weeks.",
    "We need a table by the window for six people.",
    "There was a strange noise in the engine when I turned left.",
    "I lost my keys somewhere between the office and the station.",
    "Do you have any rooms left for the second week of August?",
    "It should be delivered to my neighbour across the street.",
    "He said that the price would stay the same until summer.",
    "I want to cancel the contract at the end of the month.",
    "Yes, that would be wonderful.",
    "No, I have never been there before.",
)


@cache
def spoken() -> tuple[list[bytes], list[bytes]]:
    """Sentences as a voice says them: whole, and broken off behind each word from the fourth on."""
    from voiceloop.tts.hibari_model import RATE as ITS_RATE
    from voiceloop.tts.hibari_model import HibariModel

    try:
        model = HibariModel("heart", 1.0)
    except VoiceloopError as error:
        pytest.skip(f"needs the voice: {error}")
    whole, broken = [], []
    for sentence in SENTENCES:
        said = model.speak(sentence)
        samples = resample(said.samples, ITS_RATE, RATE).astype(np.float64)
        loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
        whole.append(phone(samples[: loud[-1]]))
        broken += [phone(samples[: round(word.end * RATE)]) for word in said.words[3:-1]]
    return whole, broken


def test_a_voice_that_ends_is_told_from_one_broken_off_more_often_than_not() -> None:
    ends, pauses = ([done(audio) for audio in each] for each in spoken())
    better = [(end > pause) + 0.5 * (end == pause) for end in ends for pause in pauses]
    assert np.mean(better) > 0.6  # 0.5 is a coin; 0.69 with this voice
