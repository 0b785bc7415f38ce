"""A soft sound is heard while a tool works: it is no answer, delays none, and gives way to whoever speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.audio import levels, mulaw
from voiceloop.audio.wav import write_wav
from voiceloop.call import Call
from voiceloop.filler import Filler
from voiceloop.frames import Filling, SpeechStarted, UserTurn
from voiceloop.llm.aggregator import LLMAggregator, LLMOptions
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.output.feed import Feed
from voiceloop.pipeline import Pipeline
from voiceloop.processor import Processor
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults import LineEcho
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.testing.dial import dial
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.processor import TurnTaking
from voiceloop.vad.energy import EnergyModel
from voiceloop.vad.processor import EnergyVAD, VADProcessor

Line = Callable[..., Any]
QUIET = LLMOptions(slow=30.0)


def price_in(seconds: float) -> Callable[[str], Any]:
    """A tool that takes its time."""

    async def price(drink: str) -> str:
        """Look up what a drink costs."""
        await asyncio.sleep(seconds)
        return "four dollars"

    return price


@pytest.fixture
def line(lexicon: Lexicon) -> Line:
    """``line(filler, tools=[…])`` is a call with a bot whose model asks for the price of tea."""

    def call(filler: Filler | None, tools: Any, options: LLMOptions = QUIET, llm: Any = None, **more: Any) -> Any:
        def bot(call: Call) -> Pipeline:
            offered = tools(call) if callable(tools) else tools
            model = LLMAggregator(script("Okay."), tools=offered, options=options, filler=filler)
            turns = TurnTaking(endpointing=FixedSilence())
            voice = ScriptedTTS(lexicon)
            return Pipeline([call.transport, EnergyVAD(), ScriptedSTT(lexicon), turns, model, voice, AudioStreamer()])

        asked = script(calls("price", drink="tea"), "It is four dollars.", "Sure.")
        return dial(bot, llm=llm or asked, lexicon=lexicon, silence=1.0, **more)

    return call


def keys(caller: Dialled) -> list[float]:
    """When pieces of the filler were sent, each of 40 ms, seconds on the loop's clock; all of them were heard."""
    sent = [each for each in caller.witness.sent if each.answer == 0]
    heard, place = bytes(caller.carrier.heard), 0
    for piece in sent:
        place = heard.index(piece.audio, place) + 320
    return [each.at for each in sent]


async def talk(line: Line, filler: Filler | None, seconds: float, **more: Any) -> tuple[Dialled, Any, float]:
    """A call in which the price of tea is asked for: the caller, the report, and when the price was heard, in seconds
    from the end of the question."""
    async with line(filler, [price_in(seconds)], **more) as caller:
        await caller.says("what is tea")
        await caller.waits(seconds + 4.0)
        report = await caller.hangs_up()
    price = caller.lexicon.speak("It is four dollars.")[0]
    first = caller.carrier.truth.time_of(bytes(caller.carrier.heard).index(price))
    return caller, report, first - caller.utterances[0].speech_ended


async def test_a_slow_tool_is_heard_and_the_answer_is_the_same(line: Line) -> None:
    _, silent, before = await talk(line, None, 5.0)
    caller, report, first = await talk(line, Filler(after=0.7), 5.0)
    times = keys(caller)
    said = caller.utterances[0].speech_ended
    assert times[0] - said == pytest.approx(0.5 + 0.7, abs=0.1)  # silence, turn over, tool runs
    assert times[-1] - said == pytest.approx(0.5 + 5.0, abs=0.15)
    assert len(times) * 0.04 == pytest.approx(times[-1] - times[0], abs=0.2)  # without a gap
    assert 0 <= first - before <= 0.12
    assert [str(message) for message in report.conversation] == [str(message) for message in silent.conversation]
    assert report.turns[0].heard == "It is four dollars."
    assert report.turns[0].latency.total == pytest.approx(silent.turns[0].latency.total, abs=0.12)
    assert report.turns[0].latency.llm == pytest.approx(silent.turns[0].latency.llm, abs=0.01)
    assert report.faults == []


async def test_it_is_off_by_default_and_what_is_quickly_done_is_done_in_silence(line: Line) -> None:
    for filler, seconds in ((None, 3.0), (Filler(after=0.7), 0.6)):
        caller, report, _ = await talk(line, filler, seconds)
        assert [sent for sent in caller.witness.sent if sent.answer == 0] == []
        assert report.turns[0].heard == "It is four dollars."


async def test_it_stands_back_for_words_and_goes_on_behind_them(line: Line) -> None:
    filler, options = Filler(after=0.5), LLMOptions(slow=2.0, slow_again=30.0)
    caller, report, _ = await talk(line, filler, 8.0, options=options)
    times, said = keys(caller), caller.utterances[0].speech_ended
    gap = max(range(1, len(times)), key=lambda index: times[index] - times[index - 1])
    assert times[gap - 1] - said == pytest.approx(0.5 + 2.0, abs=0.25)  # until "One moment, please."
    spoken = len(caller.lexicon.speak("One moment, please.")[0]) / 8000
    assert times[gap] - times[gap - 1] == pytest.approx(spoken + 0.5, abs=0.3)
    assert report.turns[0].heard == "One moment, please. It is four dollars."


@pytest.mark.parametrize("filler", [None, Filler(after=0.3)])
async def test_who_interrupts_a_tool_does_so_as_without_it(line: Line, filler: Filler | None) -> None:
    done: list[str] = []

    async def price(drink: str) -> str:
        """Look up what a drink costs."""
        await asyncio.sleep(4.0)
        done.append(drink)
        return "four dollars"

    async with line(filler, [price], llm=script(calls("price", drink="tea"), "Sure.")) as caller:
        await caller.says("what is tea")
        await caller.waits(2.0)
        await caller.says("never mind the price")
        spoke = caller.utterances[1]
        await caller.waits(6.0)
        report = await caller.hangs_up()
    assert done == ["tea"]  # it is done all the same
    assert [turn.caller for turn in report.turns][-1].endswith("never mind the price")
    assert report.turns[-1].heard == "Sure."
    if filler is not None:
        times = keys(caller)
        assert times[0] < spoke.started
        assert times[-1] <= spoke.started + 0.8  # as soon as it is speech
        assert "Sure." in caller.lexicon.text(bytes(caller.carrier.heard))


async def test_it_is_quiet_while_the_caller_enters_keys(line: Line) -> None:
    def tools(call: Call) -> list[Any]:
        async def price(drink: str) -> str:
            """Look up what a drink costs."""
            keyed = await call.collect_digits(count=2, first=10.0)
            entered.append(asyncio.get_running_loop().time())
            await asyncio.sleep(3.0)
            return keyed.digits

        return [price]

    entered: list[float] = []
    async with line(Filler(after=0.3), tools) as caller:
        await caller.says("what is tea")
        await caller.waits(3.0)
        await caller.presses("12")
        await caller.waits(6.0)
        await caller.hangs_up()
    times = keys(caller)
    assert entered
    assert entered[0] < times[0] < entered[0] + 1.0


async def test_a_file_of_ones_own_is_heard_and_one_that_is_not_there_is_told(line: Line, tmp_path: Any) -> None:
    wave = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000) * 12000
    write_wav(tmp_path / "hold.wav", wave.astype(np.int16), 16000)
    caller, report, _ = await talk(line, Filler(sound=tmp_path / "hold.wav", level=-30.0), 4.0)
    assert len(keys(caller)) > 50
    assert report.faults == []
    caller, report, _ = await talk(line, Filler(sound=tmp_path / "nowhere.wav"), 4.0)
    assert [fault.kind for fault in report.faults] == ["filler.failed"]
    assert report.turns[0].heard == "It is four dollars."


async def test_a_processor_fills_a_silence_of_its_own(lexicon: Lexicon, phone: Line) -> None:
    class Books(Processor):
        async def on_user_turn(self, turn: UserTurn) -> None:
            async with self.call.filling(Filler(after=0.2)):
                await asyncio.sleep(3.0)
            self.call.say("Done.")

    async with phone(more=lambda: [Books()], llm=script("Yes.")) as caller:
        await caller.says("book a table")
        await caller.waits(6.0)
        report = await caller.hangs_up()
    assert len(keys(caller)) * 0.04 > 1.0
    assert report.faults == []


@pytest.mark.parametrize("level", [-46.0, -38.0])
async def test_its_echo_is_not_taken_for_speech(lexicon: Lexicon, level: float) -> None:
    def bot(call: Call) -> Pipeline:
        ears = VADProcessor(EnergyModel())
        model = LLMAggregator(script("Okay."), tools=[price_in(6.0)], options=QUIET, filler=Filler(level=level))
        turns, voice = TurnTaking(endpointing=FixedSilence()), ScriptedTTS(lexicon)
        return Pipeline([call.transport, ears, ScriptedSTT(lexicon), turns, model, voice, AudioStreamer()])

    echo = CarrierOptions(faults=(LineEcho(delay=0.18, level=-6.0),), delay_to_server=0.05, delay_from_server=0.05)
    llm = script(calls("price", drink="tea"), "It is four dollars.")
    async with dial(bot, llm=llm, lexicon=lexicon, carrier=echo, invariants=None) as caller:
        await caller.says("what is tea")
        await caller.waits(5.0)
        speech = [frame.at for frame in caller.frames(SpeechStarted)]
        await caller.hangs_up()
    assert len([sent for sent in caller.witness.sent if sent.answer == 0]) > 80
    assert len(speech) == 1  # the question, and nothing of the filler


@pytest.mark.parametrize("level", [-60.0, -46.0, -30.0])
def test_its_level_is_what_is_asked_for(level: float) -> None:
    audio = Filler(level=level).make()
    assert levels.level(audio) == pytest.approx(level, abs=1.5)
    assert audio == Filler(level=level).make()  # the same on every run
    assert 5 * 8000 < len(audio) < 20 * 8000
    assert not mulaw.decode(audio[-800:]).any()  # it can be repeated


@pytest.mark.parametrize("wrong", [{"after": -1.0}, {"after": 61.0}, {"level": 0.0}, {"level": -90.0}])
def test_what_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="got"):
        Filler(**wrong)  # type: ignore[arg-type]


STEPS = st.tuples(st.floats(0.001, 0.4), st.sampled_from(["", "voice", "held", "on", "last", "off"]))


@settings(max_examples=200)
@given(st.lists(STEPS, max_size=60), st.integers(1, 1000), st.floats(0, 1))
def test_never_more_than_a_tenth_of_a_second_is_ahead_and_it_waits_for_silence(
    steps: list[tuple[float, str]], size: int, after: float
) -> None:
    """Whatever happens when: pieces follow each other in the sound, and none comes before the silence has lasted."""
    sound = bytes(range(256)) * 4
    sound, feed = sound[:size], Feed()
    now = head = voiced = begun = 0.0
    sent, wanted, held = b"", False, False
    for wait, what in steps:
        now += wait
        if what == "voice":
            head = voiced = max(head, now) + 0.3
            feed.voice()
        held = what == "held"
        if what in ("on", "last", "off"):
            if what == "on" and not feed:
                begun, sent = now, b""
            feed.set(Filling(1, b"" if what == "off" else sound, after, last=what == "last"), now)
        wanted = bool(feed)
        due = feed.due(None if held else voiced, head)
        assert (due is not None) == (wanted and not held)
        while due is not None and due <= now:
            assert now >= max(voiced, begun) + after - 1e-9
            piece = feed.take()
            assert len(piece) == 320
            sent += piece
            head = max(head, now) + 0.04
            assert head - now <= 0.1 + 1e-9
            due = feed.due(voiced, head)
    assert sent == (sound * (len(sent) // size + 1))[: len(sent)]
