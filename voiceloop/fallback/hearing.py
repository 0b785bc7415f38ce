"""One stream of the caller's audio, heard by one recogniser after another.

Whoever serves tells its words at once. When it is late with its answer to a flush the next one hears the same audio,
and the first of them to answer serves. One that is tried again after a failure is heard together with the next, which
is only listened to when the first has had its chance.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from voiceloop.fallback.members import SpokenMembers
from voiceloop.fallback.options import FallbackFailed
from voiceloop.fallback.request import EARLY, News, Request
from voiceloop.fallback.segments import Numbering
from voiceloop.fallback.tape import Lane, Tape
from voiceloop.fallback.telling import Heard, Run, Telling
from voiceloop.fallback.utterances import by_utterance
from voiceloop.served import Served
from voiceloop.stt.base import STT, Flush

__all__ = ["Heard", "Hearing"]

STALL = 1.0
TRIAL = 0.5
"""Share of that wait which one that is tried again gets before the other is listened to."""


class Hearing:
    """One stream of audio. `runs[0]` serves."""

    def __init__(self, recognisers: SpokenMembers[STT], *, per_call: bool) -> None:
        self._members = recognisers
        self._per_call = per_call
        self._stall = recognisers.options.stall or STALL
        self._loop = asyncio.get_running_loop()
        self.news = News()
        self._telling = Telling(recognisers.names)
        self.out = self._telling.out
        """What is to be given out."""
        self.over = False
        """All was given out."""
        self._runs: list[Run] = []
        self._tape = Tape()
        self._pending: list[tuple[Flush | None, float]] = []  # flushes not answered, and the end; and when they came
        self._reader: asyncio.Task[None] | None = None
        self._ended = False  # no more audio will come
        self._broken: BaseException | None = None  # what whoever brings the audio has raised
        self._gone: set[int] = set()  # failed since the last settled flush
        self._reasons: list[str] = []

    # --- input ---------------------------------------------------------------------------------------------------

    def begin(self, audio: AsyncIterator[bytes | Flush]) -> None:
        """Ask the first, and begin to read."""
        now = self._loop.time()
        order = self._members.order(now)
        if order[0] != 0:
            why = self._members.why(0) or "somebody tries whether it is well again"
            self._telling.instead_of(self._members.names[0], why)
        first = self._ask(order[0], now)
        if first.trial and len(order) > 1:
            self._ask(order[1], now)
        self._reader = self._loop.create_task(self._read(audio), name="audio of an utterance")

    async def _read(self, audio: AsyncIterator[bytes | Flush]) -> None:
        try:
            async for item in audio:
                self._tape.add(item)
                if isinstance(item, Flush):
                    self._pending.append((item, self._loop.time()))
                for run in self._runs:
                    run.lane.put(item)
                if isinstance(item, Flush):
                    self.news.tell()
        except Exception as error:
            self._broken = error
        self._ended = True
        self._pending.append((None, self._loop.time()))
        for run in self._runs:
            run.lane.end()
        self.news.tell()

    def _ask(self, place: int, now: float) -> Run:
        trial = self._members.ask(place, now)
        member = self._members.providers[place]
        lane = Lane(member.chunk)
        for item in self._tape:
            lane.put(item)
        if self._ended:
            lane.end()
        split = self._per_call and not member.per_call
        request: Request[Heard] = Request(
            by_utterance(member, lane) if split else member.transcribe(lane),
            lambda: self._members.ready(place),
            self.news,
            self._members.tasks,
            f"recogniser {self._members.names[place]}",
        )
        run = Run(place, request, lane, now, trial, Numbering(self._tape.start))
        self._runs.append(run)
        return run

    def _next(self, now: float) -> bool:
        busy = {run.place for run in self._runs}
        for place in self._members.order(now):
            if place not in self._gone and place not in busy:
                self._ask(place, now)
                return True
        return False

    # --- what happens --------------------------------------------------------------------------------------------

    def ready(self) -> bool:
        """Whether something has come meanwhile."""
        return self._broken is not None or any(
            run.request.item is not None or (run.request.over and not run.done) for run in self._runs
        )

    def step(self) -> None:
        """Deal with all that has come.

        Raises:
            FallbackFailed: nobody hears any more.
        """
        if self._broken is not None:
            raise self._broken
        now = self._loop.time()
        for run in list(self._runs):
            if run not in self._runs:  # given up because of another one
                continue
            item = run.request.take()
            if item is not None:
                run.request.ask()
                self._came(run, item, now)
            elif run.request.over and not run.done:
                self._over(run, now)
        if not any(run.request.item is not None for run in self._runs):
            self._consider(now)

    def waited(self, seconds: float) -> None:
        """So long it took to hand on what was understood: nobody was late meanwhile."""
        if seconds > 0:
            self._pending = [(flush, asked + seconds) for flush, asked in self._pending]
            for run in self._runs:
                run.since += seconds

    def decision(self) -> float | None:
        """Until when to wait for news."""
        if not self._pending:
            return None
        now, asked = self._loop.time(), self._pending[0][1]
        due = max(asked, self._runs[-1].since) + self._stall
        times = [due if due > now + EARLY else due + self._members.options.give_up]
        if self._runs[0].trial and asked + TRIAL * self._stall > now + EARLY:
            times.append(asked + TRIAL * self._stall)
        return min(times)

    def _came(self, run: Run, item: Heard, now: float) -> None:
        if isinstance(item, Served):
            run.named = item
        elif run is self._runs[0]:
            if isinstance(item, Flush):
                self._answer(run, item, now)
            else:
                self._telling.tell(run, item)
        elif isinstance(item, Flush):
            run.answered.append(item)
        else:
            run.held.pop(item.segment, None)
            run.held[item.segment] = item

    def _consider(self, now: float) -> None:
        """Is the one that serves late, and has another one answered instead? Is nobody left to be asked?"""
        while self._pending and not self.over:
            flush, asked = self._pending[0]
            serving = self._runs[0]
            if not serving.trial or asked + TRIAL * self._stall <= now + EARLY:
                for rival in self._runs[1:]:
                    if flush in rival.answered or rival.done:
                        self._replace(serving, rival, now)
                        break
                else:
                    break
            else:
                break
        if self._pending and not self.over:
            self._hurry(now)

    def _hurry(self, now: float) -> None:
        due = max(self._pending[0][1], self._runs[-1].since) + self._stall
        if due > now + EARLY or self._next(now) or due + self._members.options.give_up > now + EARLY:
            return
        for run in self._runs:
            self._failed(run, now, self._silence(run, now))
        raise self._hopeless()

    def _replace(self, serving: Run, rival: Run, now: float) -> None:
        why = self._silence(serving, now)
        for run in list(self._runs):
            if run is rival:
                continue
            run.request.close()
            if run is serving:
                self._failed(run, now, why)
            else:
                self._members.left(run.place)
        self._runs = [rival]
        self._promote(rival, now)

    def _promote(self, run: Run, now: float) -> None:
        """It serves from now on: tell what it has understood meanwhile."""
        held, run.held = run.held, {}
        for transcript in held.values():
            self._telling.tell(run, transcript)
        answered, run.answered = run.answered, []
        for flush in answered:
            self._answer(run, flush, now)
        if run.done:
            self._finish(run)

    def _answer(self, run: Run, flush: Flush, now: float) -> None:
        """It has answered for all up to there."""
        if all(each is not flush for each, _ in self._pending):
            return
        self._telling.settle(run)
        while self._pending:
            each, _ = self._pending.pop(0)
            if each is not None:
                self.out.append(each)
            if each is flush:
                break
        self._tape.settled(flush)
        self._settled(run)
        if self._per_call and not self._ended:
            self._go_back(run, now)

    def _settled(self, run: Run) -> None:
        self._members.well(run.place)
        run.trial = False
        self._gone.clear()
        self._reasons.clear()
        for other in self._runs:
            if other is not run:
                other.request.close()
                self._members.left(other.place)
        self._runs = [run]

    def _go_back(self, run: Run, now: float) -> None:
        """All was settled: let a better one serve, if it is well or may be tried."""
        best = self._members.order(now)[0]
        if best >= run.place:
            return
        if best == 0:
            self._telling.instead_of("")
        better = self._ask(best, now)
        if better.trial:
            self._runs = [better, run]
        else:
            run.request.close()
            self._runs = [better]

    def _over(self, run: Run, now: float) -> None:
        """It has ended."""
        failure = run.request.failure
        asked = [flush for flush, _ in self._pending if flush is not None]
        if not failure and self._ended and all(flush in run.answered for flush in asked):
            run.done = True
            if run is self._runs[0]:
                self._finish(run)
            return
        serving = run is self._runs[0]
        self._runs.remove(run)
        self._failed(run, now, failure or "it ended before it had answered for all that was said")
        if not self._runs and not self._next(now):
            raise self._hopeless()
        if serving and self._runs[0] is not run:
            self._promote(self._runs[0], now)

    def _finish(self, run: Run) -> None:
        """Nothing more will be understood."""
        if self.over:
            return
        self._telling.finish(run)
        self._settled(run)
        self.over = True

    def _failed(self, run: Run, now: float, why: str) -> None:
        self._members.failed(run.place, now, why)
        self._gone.add(run.place)
        self._reasons.append(f"{self._members.names[run.place]}: {why}")
        self._telling.failed(run, why)

    def _silence(self, run: Run, now: float) -> str:
        asked = max(self._pending[0][1], run.since) if self._pending else run.since
        return f"it did not answer for what was said within {now - asked:.1f} s"

    def _hopeless(self) -> FallbackFailed:
        return FallbackFailed(f"none of the recognisers could do it: {'; '.join(self._reasons)}")

    def close(self) -> None:
        """Give up all that is at work."""
        if self._reader is not None:
            self._reader.cancel()
        now = self._loop.time()
        for run in self._runs:
            run.request.close()
            late = bool(self._pending) and max(self._pending[0][1], run.since) + self._stall <= now + EARLY
            if late and not run.answered and not run.done:
                self._failed(run, now, self._silence(run, now))
            else:
                self._members.left(run.place)
        self._runs = []
