"""A process that stands still for half a second is not heard to, whenever that is and however its voice comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from voiceloop import AudioStreamer, Call, Pipeline, Runtime
from voiceloop.frames import Word
from voiceloop.output.events import Settled
from voiceloop.output.playout import Playout
from voiceloop.pacing_gauge import PacingGauge
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import Carrier, CarrierOptions
from voiceloop.sim.line_faults import Stall
from voiceloop.sim.serving import serving
from voiceloop.testing import ScriptedTTS
from voiceloop.twilio.media import media_app

Line = Callable[..., Any]
SECOND = 8000
STALL = 0.5


def spans(seconds: float, each: float) -> tuple[Word, ...]:
    """Words of this length, a pause of 30 ms behind each."""
    return tuple(Word(f"w{n}", n * each, n * each + each - 0.03) for n in range(round(seconds / each)))


def voices() -> Iterator[tuple[str, tuple[Word, ...], float, float]]:
    """How a voice comes: its words, the size of its pieces, and how much faster than speech."""
    for each in (0.11, 0.3, 0.77):
        yield f"words of {each} s, all at once", spans(3.0, each), 3.0, 1e6
    yield "words of 0.3 s, in pieces of 0.1 s, three times as fast as speech", spans(3.0, 0.3), 0.1, 3.0
    yield "no words, all at once", (), 3.0, 1e6
    yield "no words, in pieces of 0.25 s, three times as fast as speech", (), 0.25, 3.0


def holes(line: Line, words: tuple[Word, ...], piece: float, speed: float, stall: float | None) -> list[float]:
    """Seconds of silence in the middle of 3 s of voice when the process is held at a time."""
    call = line(up=0.06, down=0.06, tick=0.007)
    playout: Playout = call.playout

    def queue(start: float, end: float) -> None:
        some = tuple(word for word in words if start <= word.start < end)
        playout.queue(1, b"\x01" * round((end - start) * SECOND), some)
        if end >= 3.0:
            playout.finish(1)

    for number in range(round(3.0 / piece)):
        start, end = number * piece, min(3.0, (number + 1) * piece)
        at = start / speed
        if stall is not None and stall <= at < stall + STALL:
            at = stall + STALL
        call.at(at, lambda start=start, end=end: queue(start, end))
    if stall is not None:

        def hold() -> None:
            call.stalled_until = stall + STALL
            call.at(call.stalled_until, lambda: None)

        call.at(stall, hold)
    call.run(6.0)
    assert [news.complete for news in call.news if isinstance(news, Settled)] == [True]
    assert sum(size for _, size in call.frames) == 3 * SECOND
    times = [at for at, _ in call.frames]
    return [after - before for before, after in pairwise(times) if after - before > 0.021]


@pytest.mark.parametrize(("words", "piece", "speed"), [pytest.param(*rest, id=name) for name, *rest in voices()])
def test_half_a_second_at_any_instant_of_an_answer_leaves_no_hole(
    line: Line, words: tuple[Word, ...], piece: float, speed: float
) -> None:
    lead = 0.5 / (speed - 1) + piece if speed < 100 else 0.0  # until then the voice has not given so much yet
    heard = [at * 0.02 for at in range(150) if at * 0.02 >= lead and holes(line, words, piece, speed, at * 0.02)]
    assert heard == []


def test_a_longer_one_is_heard_so_this_test_can_fail(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.STALL", 1.3)
    (hole,) = holes(line, (), 3.0, 1e6, 0.5)
    assert 1.3 - 1.0 <= hole <= 1.3 - 0.6 + 0.03


LONG = " ".join(["we have coffee and tea and cake and bread, and on sundays there is soup for everyone."] * 4)


async def spoken(*stalls: Stall, at: float) -> tuple[Carrier, PacingGauge, tuple[float, float, int]]:
    """A call in which the agent says something long, at 60 ms each way; and what the gauge shows at a time."""
    lexicon, taken = Lexicon(), asyncio.get_running_loop().create_future()

    def bot(call: Call) -> Pipeline:
        taken.set_result(call)
        return Pipeline([call.transport, ScriptedTTS(lexicon, speed=8.0), AudioStreamer()])

    options = CarrierOptions(delay_to_server=0.06, delay_from_server=0.06, faults=stalls)
    async with (
        Runtime() as runtime,
        serving(media_app(bot, runtime)) as (url, connector),
        Carrier(url, options=options, connector=connector) as line,
    ):
        call: Call = await taken
        call.say(LONG)
        await line.when(lambda: len(line.heard) > at * SECOND)
        now, gauge = call.now, runtime.pacing
        shown = gauge.worst_margin(now), gauge.worst_late(now), gauge.count(now)
        await line.when(lambda: len(line.heard) > 26 * SECOND)
        assert call.conversation[-1].text == LONG
    return line, gauge, shown


@pytest.mark.parametrize("phase", [0.0, 0.02, 0.04])
async def test_a_call_whose_process_stands_still_again_and_again_has_no_hole(phase: float) -> None:
    line, gauge, shown = await spoken(*(Stall(1.5 + phase + n * 1.26, STALL) for n in range(17)), at=20.0)
    assert line.truth.holes(10) == []
    assert len(line.injected) == 17
    assert gauge.holes == 0
    margin, late, count = shown
    assert 0.05 < margin < 0.6
    assert 0.05 < late < STALL
    assert margin + late == pytest.approx(0.6, abs=0.41)
    assert count >= 4


async def test_a_call_that_is_not_held_up_sends_with_the_whole_margin_left() -> None:
    line, gauge, (margin, late, count) = await spoken(at=15.0)
    assert line.truth.holes(10) == []
    assert gauge.holes == 0
    assert margin == pytest.approx(0.6, abs=0.005)
    assert late < 0.005
    assert 12 <= count <= 20


async def test_a_call_that_is_held_for_longer_counts_a_hole() -> None:
    line, gauge, (margin, late, _) = await spoken(Stall(9.0, 1.5), at=11.0)
    assert len(line.truth.holes(10)) == 1
    assert gauge.holes == 1
    assert margin == 0.0
    assert late == pytest.approx(1.3, abs=0.25)
