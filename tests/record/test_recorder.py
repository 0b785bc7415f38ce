"""The timeline of a call: what its picture shows agrees with the report, and with what was on the line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, TurnTaking
from voiceloop.errors import VoiceloopError
from voiceloop.record.live import LiveEvents
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.timeline import Timeline
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.vad.processor import EnergyVAD

GREETING = "Corner Coffee, hi!"
MENU = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone."


class Watched:
    """A bot that is recorded."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.events: list[dict[str, Any]] = []
        self.timelines: list[Timeline] = []

    def __call__(self, call: Call) -> Pipeline:
        recorder = TimelineRecorder()
        call.observe(recorder)
        call.observe(LiveEvents(self.events.append))
        call.on_end(lambda report: self.timelines.append(recorder.timeline(report)))
        return Pipeline(
            [
                call.transport,
                EnergyVAD(),
                ScriptedSTT(self.lexicon),
                TurnTaking(GREETING),
                LLMAggregator(script("Okay.")),
                ScriptedTTS(self.lexicon),
                AudioStreamer(),
            ]
        )

    @property
    def timeline(self) -> Timeline:
        (line,) = self.timelines
        return line

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


@pytest.fixture
def lexicon() -> Lexicon:
    return Lexicon()


async def order(dial: Callable[..., Any], bot: Watched, delay: float = 0.0) -> Any:
    """A call with an interruption; returns the caller and the report."""
    options = CarrierOptions(delay_to_server=delay, delay_from_server=delay)
    async with dial(bot, llm=script(MENU, "A tea, okay."), lexicon=bot.lexicon, carrier=options) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("what do you have")
        await caller.interrupts("just a tea", after=1.5)
        await caller.hears("A tea, okay.")
        return caller, await caller.hangs_up()


@pytest.mark.parametrize("delay", [0.0, 0.08])
async def test_the_agents_track_is_what_the_line_carried(
    dial: Callable[..., Any], lexicon: Lexicon, delay: float
) -> None:
    bot = Watched(lexicon)
    caller, _ = await order(dial, bot, delay)
    line = bot.timeline
    assert lexicon.text(line.agent_audio) == lexicon.text(bytes(caller.carrier.heard))
    truth = caller.carrier.truth
    # The line's times are those of the caller's ear; the timeline's are later by the way back.
    offset = truth.started - delay
    heard = [word.start / 8000 + offset for word in lexicon.listen(bytes(caller.carrier.heard)) if word.whole]
    shown = [word.start / 8000 for word in lexicon.listen(line.agent_audio) if word.whole]
    begun = shown[0] - heard[0]
    assert [round(there - here - begun, 2) for here, there in zip(heard, shown, strict=True)] == pytest.approx(
        [0.0] * len(heard), abs=0.045
    )


async def test_the_callers_track_is_what_the_caller_said(dial: Callable[..., Any], lexicon: Lexicon) -> None:
    bot = Watched(lexicon)
    await order(dial, bot)
    assert lexicon.text(bot.timeline.caller_audio) == "what do you have just a tea"
    assert len(bot.timeline.caller_audio) == len(bot.timeline.agent_audio) == round(bot.timeline.duration * 8000)


async def test_turns_and_waits_are_those_of_the_report(dial: Callable[..., Any], lexicon: Lexicon) -> None:
    bot = Watched(lexicon)
    _, report = await order(dial, bot, 0.05)
    line = bot.timeline
    assert [(turn.number, turn.text, turn.latency_ms) for turn in line.turns] == [
        (turn.number, turn.caller, turn.latency.as_ms()) for turn in report.turns
    ]
    for turn in line.turns:  # the wait is a distance on the axis
        (answer,) = [answer for answer in line.answers if answer.id == turn.answer]
        assert turn.latency_ms is not None
        assert answer.sounds[0].start - turn.ended == pytest.approx(turn.latency_ms["total"] / 1000, abs=0.001)


async def test_words_stand_where_they_were_heard_and_cut_words_nowhere(
    dial: Callable[..., Any], lexicon: Lexicon
) -> None:
    bot = Watched(lexicon)
    _, report = await order(dial, bot)
    line = bot.timeline
    cut = line.answers[1]
    assert (cut.outcome, cut.heard, cut.unheard) == ("interrupted", report.turns[0].heard, report.turns[0].unheard)
    assert cut.unheard.endswith("soup for everyone.")
    spoken = lexicon.listen(line.agent_audio)
    whole = [word for word in spoken if word.whole]
    assert [word.text for word in line.words] == [word.text for word in whole]
    assert all(word.exact for word in line.words)
    assert [round(word.start, 2) for word in line.words] == [round(word.start / 8000, 2) for word in whole]
    assert cut.interrupted is not None
    assert max(word.end for word in line.words if word.answer == cut.id) <= cut.interrupted + 0.02


async def test_marks_interruptions_speech_and_faults_are_on_the_axis(
    dial: Callable[..., Any], lexicon: Lexicon
) -> None:
    bot = Watched(lexicon)

    class Rude:
        def __call__(self, call: Call) -> Pipeline:
            call.note_fault("weather", "it rains")
            return bot(call)

    async with dial(Rude(), llm=script(MENU, "Okay."), lexicon=lexicon) as caller:
        await caller.hears()
        await caller.says("what do you have")
        await caller.interrupts("just a tea", after=1.0)
        await caller.presses("7")
        await caller.hears()
        await caller.hangs_up()
    line = bot.timeline
    kinds = [event.kind for event in line.events]
    assert kinds.count("interruption") == kinds.count("clear") == 1
    assert kinds.count("mark") == kinds.count("echo") > 5
    assert [event.text for event in line.events if event.kind == "digit"] == ["7"]
    assert [event.text for event in line.events if event.kind == "fault"] == ["weather: it rains"]
    assert [event.at for event in line.events] == sorted(event.at for event in line.events)
    assert len(line.speech) == 2
    assert all(0 < span.start < span.end < line.duration for span in line.speech)


async def test_a_caller_who_hangs_up_at_once_leaves_a_timeline_too(dial: Callable[..., Any], lexicon: Lexicon) -> None:
    bot = Watched(lexicon)
    async with dial(bot, lexicon=lexicon) as caller:
        await caller.hangs_up()
    assert (bot.timeline.turns, bot.timeline.reason) == ([], "caller hung up")
    assert json.loads(json.dumps(bot.timeline.as_dict()))["duration"] == bot.timeline.duration


async def test_live_events_tell_the_conversation_as_it_is_heard(dial: Callable[..., Any], lexicon: Lexicon) -> None:
    bot = Watched(lexicon)
    _, report = await order(dial, bot)
    json.dumps(bot.events)
    assert (bot.events[0]["kind"], bot.events[-1]["kind"]) == ("began", "ended")
    assert bot.events[-1]["reason"] == report.reason
    growing = [event["heard"] for event in bot.of("heard") if event["answer"] == 2]
    assert growing == sorted(growing, key=len)
    assert len(growing) > 3
    assert all(MENU.startswith(heard) for heard in growing)
    assert bot.of("text")[1]["text"] == MENU
    assert [event["answer"] for event in bot.of("interruption")] == [2]
    assert [(event["number"], event["heard"], event["unheard"]) for event in bot.of("waited")] == [
        (turn.number, turn.heard, turn.unheard) for turn in report.turns
    ]
    assert [event["text"] for event in bot.of("turn")] == [turn.caller for turn in report.turns]


async def test_an_observer_that_comes_too_late_is_told_so(dial: Callable[..., Any], lexicon: Lexicon) -> None:
    async with dial(Watched(lexicon), lexicon=lexicon) as caller:
        await caller.hears()
        with pytest.raises(VoiceloopError, match="the call has begun"):
            caller.call.observe(TimelineRecorder())


async def test_observing_changes_nothing_on_the_wire(dial: Callable[..., Any]) -> None:
    async def messages(observed: bool) -> list[tuple[float, str, str]]:
        lexicon = Lexicon()
        bot = Watched(lexicon)
        logs = []

        def plain(call: Call) -> Pipeline:
            logs.append(call.log)
            pipeline = bot(call)
            if not observed:
                call.observers.clear()
            return pipeline

        async with dial(plain, llm=script(MENU, "Okay."), lexicon=lexicon) as caller:
            await caller.hears()
            await caller.says("what do you have")
            await caller.interrupts("just a tea", after=1.0)
            await caller.hears()
            zero = caller.carrier.truth.started
            await caller.hangs_up()
        return [(round(at - zero, 6), kind, what) for at, kind, what in logs[0].events if kind == "out"]

    seen, unseen = await messages(True), await messages(False)
    assert [kind for _, kind, _ in seen] == [kind for _, kind, _ in unseen]
    pairs = zip(seen, unseen, strict=True)
    assert all(
        abs(one[0] - other[0]) < 0.021 for one, other in pairs
    )  # a block: the second call begins elsewhere in it
