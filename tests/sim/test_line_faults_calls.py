"""Whole calls over a line that fails: how each ends, what the caller heard, and what the call's report says.

The bot greets, answers twice, and the caller hangs up. The plugin sees to it that no task and no socket is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.frames import Pause
from voiceloop.report import CallReport
from voiceloop.sim.caller import CallEnded, GaveUp
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.line_faults import (
    Bunched,
    Closed,
    CutFromServer,
    CutToServer,
    Doubled,
    HalfOpen,
    Late,
    LineEcho,
    LineFault,
    Lost,
    MarksDoubled,
    MarksEarly,
    MarksLate,
    MarksNever,
    MarksSwapped,
    Noise,
    NoStop,
    Rubbish,
    Stall,
    StrayMark,
)
from voiceloop.sim.line_listening import NoisyLexicon
from voiceloop.sim.line_rubbish import FATAL, RUBBISH
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.vad.echo import EchoOptions

LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone."
ALL = ["Hello.", LONG, "Sure thing."]
DELAY = 0.03


@dataclass
class Outcome:
    """What is left of a call."""

    heard: list[str] = field(default_factory=list)
    gave_up: bool = False
    report: CallReport | None = None
    line: Carrier | None = None
    hung_up: float = 0.0
    over: float = 0.0
    pauses: int = 0
    """How often the agent was paused."""

    @property
    def reason(self) -> str:
        return "no call" if self.report is None else self.report.reason

    @property
    def kinds(self) -> list[str]:
        return [] if self.report is None else [fault.kind for fault in self.report.faults]

    @property
    def carrier(self) -> Carrier:
        assert self.line is not None
        return self.line


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def dialled(dial: Any, faults: tuple[LineFault, ...], guard: EchoOptions | None = None) -> AsyncIterator[Any]:
    lexicon = NoisyLexicon()
    stt, llm, tts = ScriptedSTT(lexicon), ScriptedLLM([LONG, "Sure thing.", "Fine."]), ScriptedTTS(lexicon)

    def bot(call: Call) -> Pipeline:
        ears = [call.transport, EnergyVAD(echo=guard or EchoOptions()), stt]
        return Pipeline([*ears, TurnTaking("Hello."), LLMAggregator(llm), tts, AudioStreamer()])

    options = CarrierOptions(faults=faults, delay_to_server=DELAY, delay_from_server=DELAY)
    # What must hold of every call is for the tests of the invariants; here each outcome is stated.
    async with dial(bot, stt=stt, llm=llm, tts=tts, lexicon=lexicon, carrier=options, invariants=None) as caller:
        yield caller


async def conversation(dial: Any, *faults: LineFault, guard: EchoOptions | None = None) -> Outcome:
    outcome = Outcome()
    async with dialled(dial, faults, guard) as caller:
        outcome.line = caller.carrier
        try:
            outcome.heard.append((await caller.hears(timeout=20)).text)
            for words in ("what do you have", "a large latte please"):
                await caller.says(words)
                outcome.heard.append((await caller.hears(timeout=20)).text)
        except CallEnded:
            pass
        except GaveUp:
            outcome.gave_up = True
        outcome.hung_up = now()
        await caller.carrier.hang_up()
        if any(entry.kind == "media" for entry in caller.carrier.truth.log):
            outcome.report = await caller.report()
            outcome.pauses = len(caller.frames(Pause))
        outcome.over = now()
    return outcome


# --- the call goes on as if nothing had happened -------------------------------------------------------------------

UNNOTICED: dict[str, tuple[LineFault, ...]] = {
    "nothing": (),
    "late to the server": (Late(at=3.0, length=2.0, by=0.8),),
    "a little late from the server": (Late(at=4.0, length=1.0, by=0.4, way="from server"),),
    "bunched to the server": (Bunched(at=2.5, length=1.0),),
    "bunched from the server": (Bunched(at=4.0, length=0.5, way="from server"),),
    "lost while the caller is silent": (Lost(at=3.6, count=50),),
    "lost before numbering": (Lost(at=3.6, count=50, numbered=False),),
    "doubled while the caller is silent": (Doubled(at=3.6, count=100),),
    "no stop": (NoStop(),),
    "marks early": (MarksEarly(by=0.5),),
    "marks a little late": (MarksLate(by=0.3),),
    "one mark never": (MarksNever(first=3, count=1),),
    "no mark ever": (MarksNever(),),
    "marks doubled": (MarksDoubled(),),
    "marks swapped": (MarksSwapped(first=2, count=5),),
    "stray marks": tuple(
        StrayMark(at=at, name=name)
        for at, name in ((0.0, "s:1"), (1.0, "never set"), (2.0, "end:1"), (4.0, "f:1"), (5.0, "w:2:7"))
    ),
    "noise of -60 dBFS": (Noise(level=-60.0),),
    "noise of -40 dBFS": (Noise(level=-40.0),),
    "stalls within the lead": (Stall(at=2.9, seconds=0.5), Stall(at=4.5, seconds=0.5)),
    "stall in the greeting": (Stall(at=0.05, seconds=0.3),),
}


@pytest.mark.parametrize("name", list(UNNOTICED))
async def test_call_goes_on_as_if_nothing_had_happened(dial: Any, name: str) -> None:
    outcome = await conversation(dial, *UNNOTICED[name])
    assert outcome.heard == ALL
    assert outcome.reason == ("disconnected" if name == "no stop" else "caller hung up")
    assert outcome.kinds == []
    assert outcome.report is not None
    assert [(turn.caller, turn.heard, turn.unheard) for turn in outcome.report.turns] == [
        ("what do you have", LONG, ""),
        ("a large latte please", "Sure thing.", ""),
    ]
    assert outcome.carrier.truth.holes() == []
    assert outcome.carrier.end == "hung up"
    assert outcome.over - outcome.hung_up < 0.1
    assert {fault for _, fault in outcome.carrier.injected} == set(UNNOTICED[name])


@pytest.mark.parametrize("every", [0.0, 0.2])
async def test_rubbish_costs_its_own_message_only(dial: Any, every: float) -> None:
    sent = [what for what in RUBBISH if what not in FATAL]
    faults = [Rubbish(at=every * number, what=what) for number, what in enumerate(sent)]
    outcome = await conversation(dial, *faults)
    assert [fault for _, fault in outcome.carrier.injected] == faults
    assert outcome.heard == ALL
    assert outcome.reason == "caller hung up"
    assert outcome.kinds == ["twilio.protocol"] * 10  # the first ones; more are only counted


# --- the caller hears it, and the memory knows ----------------------------------------------------------------------


async def test_what_comes_too_late_from_the_server_is_as_much_silence(dial: Any) -> None:
    outcome = await conversation(dial, Late(at=4.5, length=2.0, by=1.2, way="from server"))
    silence = sum(seconds for _, seconds in outcome.carrier.truth.holes(30))
    assert silence == pytest.approx(1.2 - 0.6, abs=0.05)  # what always lies ahead is covered
    assert (outcome.reason, outcome.kinds) == ("caller hung up", [])


async def test_marks_that_come_much_later_leave_the_memory_behind_and_never_ahead(dial: Any) -> None:
    outcome = await conversation(dial, MarksLate(by=5.0))
    assert outcome.heard == ALL
    assert outcome.report is not None
    for turn, whole in zip(outcome.report.turns, (LONG, "Sure thing."), strict=True):
        assert whole.startswith(turn.heard)
        assert f"{turn.heard} {turn.unheard}".strip() == whole


async def test_words_lost_on_the_line_are_not_in_the_turn(dial: Any) -> None:
    outcome = await conversation(dial, Lost(at=1.5, count=20))
    assert outcome.report is not None
    assert outcome.report.turns[0].caller != "what do you have"
    assert set(outcome.report.turns[0].caller.split()) < {"what", "do", "you", "have"}


async def test_caller_who_is_lost_for_ten_seconds_is_asked(dial: Any) -> None:
    outcome = await conversation(dial, Lost(at=2.3, count=900))
    assert outcome.heard[-1] == "Are you still there?"
    assert outcome.reason == "caller hung up"


@pytest.mark.parametrize("level", [-10.0, -25.0, -40.0, -55.0])
async def test_the_agent_is_not_interrupted_by_its_own_echo(dial: Any, level: float) -> None:
    outcome = await conversation(dial, LineEcho(level=level, at=2.5))
    assert outcome.heard == ALL
    assert outcome.pauses == 0
    assert outcome.report is not None
    assert not any(turn.interrupted for turn in outcome.report.turns)


async def test_without_a_guard_the_agent_is_paused_by_an_echo_that_the_voice_detector_hears(dial: Any) -> None:
    guard = EchoOptions(enabled=False)
    outcome = await conversation(dial, LineEcho(level=-25.0, at=2.5), guard=guard)
    assert outcome.pauses > 5
    # Its own words are known for what they are: it goes on, and what it says arrives whole, later.
    assert outcome.heard == ALL
    assert outcome.report is not None
    assert [(turn.caller, turn.interrupted) for turn in outcome.report.turns] == [
        ("what do you have", False),
        ("a large latte please", False),
    ]
    assert outcome.report.duration > 14.0  # without an echo 10.5 s
    soft = await conversation(dial, LineEcho(level=-55.0), guard=guard)
    assert (soft.heard, soft.pauses) == (ALL, 0)


# --- the call ends ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """How a call over a broken line ends."""

    faults: tuple[LineFault, ...]
    end: str
    """As the carrier sees it."""
    reason: str = "disconnected"
    heard: int = 1
    """Answers that were heard whole."""
    kinds: tuple[str, ...] = ()


ENDS = {
    "cut in the first frame": End((CutToServer(1),), "cut", "no call", heard=0),
    "cut within start": End((CutToServer(400),), "cut", "no call", heard=0),
    "cut in a frame's header": End((CutToServer(60_001),), "cut"),
    "cut within media": End((CutToServer(60_100),), "cut"),
    "cut from the server at once": End((CutFromServer(0),), "cut", "no call", heard=0),
    "cut from the server": End((CutFromServer(30_000),), "cut"),
    "closed at once": End((Closed(at=0.0),), "closed", "no call", heard=0),
    "closed": End((Closed(at=5.0),), "closed"),
    "closed after the greeting, without marks": End((Closed(at=5.0), MarksNever()), "closed"),
    "cut in a stall": End((CutToServer(70_000), Stall(at=4.0, seconds=0.5)), "cut"),
    "huge frame": End((Rubbish(at=5.0, what="huge frame"),), "closed by the server (1009)"),
    "invalid utf-8": End((Rubbish(at=5.0, what="invalid utf-8"),), "closed by the server (1007)"),
    "reserved opcode": End((Rubbish(at=5.0, what="reserved opcode"),), "closed by the server (1002)"),
    "fragmented ping": End((Rubbish(at=5.0, what="fragmented ping"),), "closed by the server (1002)"),
    "no frame": End((Rubbish(at=5.0, what="bytes that are no frame"),), "closed by the server (1002)"),
    "a flood": End(
        (Rubbish(at=5.0, what="not json", count=1100),),
        "closed by the server (1000)",
        "protocol",
        kinds=("twilio.protocol",) * 10,
    ),
}


@pytest.mark.parametrize("name", list(ENDS))
async def test_call_ends_with_the_line(dial: Any, name: str) -> None:
    expected = ENDS[name]
    outcome = await conversation(dial, *expected.faults)
    assert (outcome.carrier.end, outcome.reason) == (expected.end, expected.reason)
    assert outcome.heard[: expected.heard] == ALL[: expected.heard]
    assert not outcome.gave_up
    assert outcome.over - outcome.hung_up < 0.2  # the bot's side knew at once
    assert tuple(outcome.kinds) == expected.kinds
    if outcome.report is not None and outcome.report.turns:
        (turn,) = outcome.report.turns
        assert turn.interrupted or turn.unheard
        assert len(turn.heard.split()) <= len(outcome.heard[-1].split())  # never ahead


async def test_dead_line_is_noticed_after_ten_seconds(dial: Any) -> None:
    outcome = await conversation(dial, HalfOpen(at=5.0))
    assert outcome.reason == "disconnected"
    assert outcome.kinds[0] == "twilio.silent"
    assert outcome.report is not None
    assert 14.9 <= outcome.report.duration <= 18.5


async def test_line_that_is_dead_from_the_start_leaves_nothing_behind(dial: Any) -> None:
    outcome = await conversation(dial, HalfOpen(at=0.0))
    assert outcome.gave_up
    assert (outcome.carrier.end, outcome.reason) == ("hung up", "no call")


# --- what the caller does -----------------------------------------------------------------------------------------


async def test_caller_who_hangs_up_in_a_word_leaves_no_turn_of_it(dial: Any) -> None:
    async with dialled(dial, ()) as caller:
        await caller.hears("Hello.")
        speaking = asyncio.ensure_future(caller.says("what do you have"))
        await caller.waits(0.35)
        report = await caller.hangs_up()
        assert (await speaking).cut
    assert (report.reason, report.turns, report.faults) == ("caller hung up", [], [])
