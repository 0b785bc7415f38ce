"""Sounds from files: decoded off the loop, in their place, once for all calls; and what cannot be played."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.audio.resample import resample, to_int16
from voiceloop.audio.wav import WavError, write_wav
from voiceloop.call import Call
from voiceloop.frames import UserTurn
from voiceloop.processor import Processor
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sounds import Sounds, decode
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS, script

Phone = Callable[..., Any]


@pytest.fixture
def spoken(lexicon: Lexicon, tmp_path: Path) -> Callable[[str], str]:
    """The path of a WAV file, 8000 Hz, in which an artificial voice says something."""

    def write(text: str) -> str:
        path = tmp_path / f"{text.split()[0]}.wav"
        write_wav(path, mulaw.decode(lexicon.speak(text)[0]), 8000)
        return str(path)

    return write


async def test_a_file_is_heard_and_remembered_by_its_text(
    phone: Phone, spoken: Callable[[str], str], heard: Callable[[Dialled], str]
) -> None:
    path = spoken("welcome to the corner shop")
    async with phone(greeting="Hello!", llm=script("Yes.")) as caller:
        await caller.hears("Hello!")
        caller.call.play(path, text="Welcome to the corner shop.")
        await caller.hears("welcome to the corner shop")
        report = await caller.hangs_up()
    assert heard(caller) == "Hello! welcome to the corner shop"
    assert [message.text for message in report.conversation] == ["Hello!", "Welcome to the corner shop."]
    assert report.faults == []


async def test_a_file_that_is_still_being_decoded_keeps_its_place(
    phone: Phone, spoken: Callable[[str], str], heard: Callable[[Dialled], str]
) -> None:
    first, long = spoken("one two three"), "And then " + "we have coffee and tea and cake " * 8 + "for you."
    async with phone(llm=script("Yes.")) as caller:
        await caller.waits(1.0)
        caller.call.say("Before.")
        caller.call.play(Path(first))
        caller.call.say(long)  # longer than what may wait for the line
        caller.call.play(spoken("four five"))
        await caller.hears("four five")
        await caller.hangs_up()
    assert heard(caller) == f"Before. one two three {long} four five"


async def test_a_file_is_decoded_once_for_all_that_ask(spoken: Callable[[str], str], lexicon: Lexicon) -> None:
    decoded: list[str] = []

    def counted(name: str) -> bytes:
        decoded.append(name)
        return decode(name)

    path, sounds = spoken("welcome"), Sounds()
    both = await asyncio.gather(sounds.load(path, counted), sounds.load(path, counted))
    assert both[0] == both[1] == sounds.get(path) == lexicon.speak("welcome")[0]
    assert await sounds.load(path, counted) == both[0]
    assert decoded == [path]


async def test_calls_of_one_process_share_what_was_decoded(
    phone: Phone, spoken: Callable[[str], str], lexicon: Lexicon
) -> None:
    path = spoken("welcome")
    providers = {"stt": ScriptedSTT(lexicon), "tts": ScriptedTTS(lexicon)}
    async with Runtime() as runtime:
        assert await runtime.sounds.load(path) == lexicon.speak("welcome")[0]  # as a bot does before its first call
        os.unlink(path)  # it is not looked at again
        for _ in range(2):
            async with phone(runtime=runtime, llm=script("Yes."), **providers) as caller:
                await caller.waits(0.5)
                caller.call.play(path)
                await caller.hears("welcome")
                report = await caller.hangs_up()
                assert report.faults == []


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_and_both_channels_become_the_phones_own_format(tmp_path: Path, rate: int, channels: int) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    samples = to_int16(wave.astype(np.float32))
    write_wav(tmp_path / "tone.wav", samples if channels == 1 else np.stack([samples, samples], axis=1), rate)
    audio = decode(str(tmp_path / "tone.wav"))
    expected = to_int16(resample((samples / 32768).astype(np.float32), rate, 8000))
    assert len(audio) == 8000
    assert np.abs(mulaw.decode(audio)[200:-200] - expected[200:-200].astype(np.float64)).max() < 700


def test_what_cannot_be_played_says_why(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_bytes(b"no audio at all")
    write_wav(tmp_path / "long.wav", np.zeros(601 * 1000, np.int16), 1000)
    with pytest.raises(WavError, match=r"cannot read .*none\.wav: No such file"):
        decode(str(tmp_path / "none.wav"))
    with pytest.raises(WavError, match=r"text\.wav is not a WAV file"):
        decode(str(tmp_path / "text.wav"))
    with pytest.raises(WavError, match=r"long\.wav lasts 601 s, expected at most 600 s"):
        decode(str(tmp_path / "long.wav"))


async def test_a_file_that_cannot_be_played_is_told_and_what_is_behind_it_is_heard(
    phone: Phone, heard: Callable[[Dialled], str]
) -> None:
    async with phone(greeting="Hello!", llm=script("Yes.")) as caller:
        await caller.hears("Hello!")
        caller.call.play("nowhere.wav")
        caller.call.say("And now?")
        await caller.hears("And now?")
        caller.call.play("nowhere.wav", text="Welcome.")
        await caller.hears("Sorry, something went wrong.")
        report = await caller.hangs_up()
    assert heard(caller).startswith("Hello! And now? Sorry, something went wrong.")
    assert [fault.kind for fault in report.faults] == ["play.failed", "play.failed"]
    assert "nowhere.wav" in report.faults[0].message


async def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    sounds = Sounds(most=100)
    for name in ("a", "b", "c"):
        await sounds.load(name, lambda name: name.encode() * 40)
        sounds.get("a")
    assert sounds.get("a") == b"a" * 40
    assert sounds.get("b") is None
    assert sounds.get("c") == b"c" * 40


async def test_a_failure_is_told_to_each_and_tried_again() -> None:
    sounds, tries = Sounds(), []

    def make(name: str) -> bytes:
        tries.append(name)
        if len(tries) == 1:
            raise WavError("not yet")
        return b"there"

    both = await asyncio.gather(sounds.load("x", make), sounds.load("x", make), return_exceptions=True)
    assert [str(error) for error in both] == ["not yet", "not yet"]
    assert await sounds.load("x", make) == b"there"
    assert tries == ["x", "x"]


@pytest.mark.parametrize("loops", [1, 2, 5])
async def test_a_sound_is_played_as_often_as_asked(
    phone: Phone, heard: Callable[[Dialled], str], spoken: Callable[[str], str], loops: int
) -> None:
    path = spoken("one two three four five six seven")
    async with phone(llm=script("Yes.")) as caller:
        await caller.waits(0.5)
        caller.call.play(path, loops=loops)
        caller.call.say("Over.")
        await caller.hears("Over.")
        await caller.hangs_up()
    assert heard(caller) == " ".join(["one two three four five six seven"] * loops + ["Over."])


async def test_music_plays_without_a_gap_until_something_is_said(
    phone: Phone, spoken: Callable[[str], str], heard: Callable[[Dialled], str]
) -> None:
    path = spoken("one two three")
    async with phone(llm=script("Yes.")) as caller:
        await caller.waits(0.5)
        music = caller.call.play(path, loops=0)
        await caller.waits(60.0)
        assert music.outcome is None
        assert music.buffered < 15
        assert caller.carrier.truth.holes(min_ms=20) == []
        caller.call.say("I have found Ann for you.")
        assert str(music.outcome) == "interrupted"
        await caller.waits(4.0)
        await caller.hangs_up()
    assert heard(caller).endswith("found Ann for you.")


async def test_music_ends_when_the_caller_speaks_and_when_the_call_is_hung_up(
    phone: Phone, spoken: Callable[[str], str]
) -> None:
    path = spoken("one two three")
    async with phone(llm=script("What is it?")) as caller:
        await caller.waits(0.5)
        music = caller.call.play(path, loops=0)
        await caller.interrupts("hello are you there", after=3.0)
        assert music.outcome == "interrupted"
        await caller.hears("What is it?")
        caller.call.play(path, loops=0)
        await caller.waits(3.0)
        before = asyncio.get_running_loop().time()
        caller.call.hang_up()
        report = await caller.report()
        assert asyncio.get_running_loop().time() - before < 1.0
    assert report.reason == "completed"


async def test_a_sound_without_end_may_be_interrupted(phone: Phone) -> None:
    async with phone(llm=script("Yes.")) as caller:
        await caller.waits(0.5)
        with pytest.raises(ValueError, match="loops is 0 for a sound that may be interrupted"):
            caller.call.play(b"\x00" * 800, loops=0, interruptible=False)
        await caller.hangs_up()


async def test_a_caller_may_hang_up_while_a_file_is_decoded(phone: Phone, spoken: Callable[[str], str]) -> None:
    path = spoken("one two three")
    async with phone(llm=script("Yes.")) as caller:
        await caller.waits(0.5)
        caller.call.play(path)
        caller.call.end("gone")
        report = await caller.report()
    assert (report.reason, report.faults, report.abandoned) == ("gone", [], [])


async def test_a_processor_plays_a_file_in_the_middle_of_a_call(
    phone: Phone, spoken: Callable[[str], str], heard: Callable[[Dialled], str]
) -> None:
    path = spoken("la la la")

    class Jingle(Processor):
        call: Call

        def on_user_turn(self, turn: UserTurn) -> None:
            self.call.play(path)

    async with phone(more=lambda: [Jingle()], llm=script("Yes.")) as caller:
        await caller.says("sing please")
        await caller.waits(4.0)
        await caller.hangs_up()
    assert sorted(heard(caller).split()) == ["Yes.", "la", "la", "la"]
