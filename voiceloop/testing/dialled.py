"""A caller in the middle of a call with a bot: what a test does, and what it may ask."""

from __future__ import annotations

import asyncio
from os import PathLike
from typing import TypeVar

from voiceloop import wallclock
from voiceloop.answer import Answer
from voiceloop.call import Call
from voiceloop.errors import VoiceloopError
from voiceloop.eventlog import EventLog
from voiceloop.frames import AnswerBegan, Interruption, Pause, Resume, Signal
from voiceloop.frames import Heard as HeardFrame
from voiceloop.record.timeline import Timeline
from voiceloop.report import CallReport, Turn
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.caller import CallEnded, Caller, GaveUp, Utterance
from voiceloop.sim.carrier import Carrier
from voiceloop.sim.playback import QUIET, RATE, Mark
from voiceloop.testing.late_timeline import timeline_of
from voiceloop.testing.reply import BargeIn, Reply, parts_of
from voiceloop.testing.scenario_words import says, words_of
from voiceloop.testing.seen import FrameLog, ToolUse, tool_uses
from voiceloop.testing.witness import Witness

__all__ = ["Dialled"]

END_LIMIT = 120.0
"""Seconds that the end of a call may take before the test gives up."""
SETTLE_LIMIT = 4.0
"""Seconds that it may take until a paused answer goes on or is cut, and the news of what was heard of it is there."""
WHY_LIMIT = 5.0
"""Seconds that the bot may take to say why the call ended, for an error message."""

_ALWAYS = ("twilio reader", "twilio writer")
"""Tasks that every call has."""

F = TypeVar("F", bound=Signal)


class Dialled:
    """A caller in the middle of a call with a bot."""

    def __init__(self, carrier: Carrier, caller: Caller, lexicon: Lexicon, *, name: str = "") -> None:
        self.carrier = carrier
        """The other side of the wire: what was heard and said, sample by sample, and the truth about marks."""
        self.name = name
        """Of the bot, for people."""
        self.replies: list[Reply] = []
        """What `hears` has returned so far."""
        self.lexicon = lexicon
        """The words of the artificial voices."""
        self.left: float | None = None
        """When an error left the ``async with`` block, seconds on the loop's clock; None when none did."""
        self.over = False
        """Whether the call was over by then."""
        self.unfinished: list[str] = []
        """What the call was still at when an error left the block."""
        self.caller = caller
        """The person on the line."""
        self._call: Call | None = None
        self._log = FrameLog()
        self._began = ""
        self.witness = Witness()
        """Keeps what the invariants ask for."""
        self._taken: tuple[float, int] | None = None
        """When the answer ended that `hears` took last, and how many signals had passed; None when the caller has done
        something since."""
        self.injected: list[tuple[float, object]] = []
        """What the test itself has made to go wrong: when, on the loop's clock, and what. It excuses what follows."""
        self._report: asyncio.Future[CallReport] = asyncio.get_running_loop().create_future()

    # --- the bot's side -------------------------------------------------------------------------------------

    @property
    def call(self) -> Call:
        """The bot's side of the call."""
        if self._call is None:
            raise VoiceloopError("the bot has not taken the call yet: wait until the caller hears it")
        return self._call

    @property
    def turns(self) -> list[Turn]:
        """The turns that are over: what was recognised, heard and not heard, and the parts of the wait."""
        return self.call.turns

    @property
    def memory(self) -> list[str]:
        """The conversation as the bot remembers it, a line for each message, such as ``user: A mocha, please.`` and
        ``assistant: We have coffee, [cut: latte and tea.]``."""
        return [str(message) for message in self.call.conversation]

    @property
    def tools(self) -> list[ToolUse]:
        """The tools that the model has asked for, in order."""
        return tool_uses(self.call.conversation, self.turns, self.call.log)

    @property
    def marks(self) -> list[Mark]:
        """Every mark that reached the carrier, in order, and what really became of it."""
        return self.carrier.truth.marks

    @property
    def utterances(self) -> list[Utterance]:
        """What the caller has said so far."""
        return self.caller.utterances

    def frames(self, *types: type[F]) -> list[F]:
        """The signals of these types that have passed the whole pipeline, in order: ``caller.frames(UserTurn)``.

        Raises:
            VoiceloopError: content, or no type of frame at all.
        """
        return self._log.of(*types)

    # --- what the caller does -------------------------------------------------------------------------------

    async def says(self, what: str | bytes | PathLike[str], *, until: float | None = None) -> Utterance:
        """Say a text, mu-law audio or a WAV file. Returns when the last sample was spoken.

        Args:
            what: it is said at once, over the agent's voice too.
            until: break off after so many seconds of it, in the middle of a word too.
        """
        self._taken = None
        return await self.caller.says(what, until=until)

    async def begins(self, what: str | bytes | PathLike[str]) -> Utterance:
        """Begin to say something and return at once, to do something else meanwhile."""
        self._taken = None
        return await self.caller.begins(what)

    async def coughs(self) -> Utterance:
        """Make a short noise that is no word."""
        self._taken = None
        return await self.caller.coughs()

    async def hears(self, *words: str, timeout: float | None = None) -> Reply:
        """Wait until the agent has spoken and fallen silent; check that what it said holds these words.

        Args:
            words: texts, each in any place: whole words, one behind the other; capitals and punctuation do not matter.
            timeout: seconds; default: the caller's patience, 30 s.

        Raises:
            AssertionError: it said something else.
            GaveUp: it did not speak, or did not stop, in time.
            CallEnded: the call was over before.
        """
        __tracebackhide__ = True
        for word in words:
            if not isinstance(word, str):
                raise TypeError(f"hears takes words that are expected, as text; got {word!r}")
            if not words_of(word):
                raise ValueError(f"hears takes words that are expected; there is none in {word!r}")
        try:
            heard = await self.caller.hears(timeout=timeout)
        except (CallEnded, GaveUp) as error:
            raise await self._told(error) from None
        before = [u for u in self.caller.utterances if u.speech_ended <= heard.started]
        latency = heard.started - before[-1].speech_ended if before else None
        found = self.lexicon.listen(heard.audio)
        text = " ".join(word.text for word in found if word.whole)
        parts = parts_of(self._log.answers(), heard.started, heard.ended) if before else None
        reply = Reply(text, heard.audio, heard.started, heard.ended, latency, parts, tuple(found))
        self.replies.append(reply)
        self._taken = heard.ended, len(self._log.seen)
        for word in words:
            if not says(word, text):
                inside = " (whole words are compared)" if word.casefold() in text.casefold() else ""
                raise AssertionError(f"expected to hear {word!r}, heard {text!r}{inside}")
        return reply

    async def interrupts(
        self, what: str | bytes | PathLike[str], *, after: float, timeout: float | None = None
    ) -> BargeIn:
        """Speak over the agent when it has been speaking for `after` seconds.

        Returns when the agent has fallen silent, and either goes on (after "mhm", or a noise) or is cut and the bot
        knows what was heard of its answer.

        Raises:
            GaveUp: there was nothing to interrupt: it did not speak, was done before, or only asked whether anybody is
                there, when `hears` had taken what was meant; or it did not stop in time.
            CallEnded: the call was over before.
        """
        __tracebackhide__ = True
        if after < 0:
            raise ValueError(f"after= counts from the agent's first sound and is not below 0 seconds, got {after!r}")
        seen = len(self._log.seen)
        taken, self._taken = self._taken, None
        try:
            cut = await self.caller.interrupts(what, after=after, timeout=timeout)
        except (CallEnded, GaveUp) as error:
            raise await self._told(error) from None
        if taken is not None and (asked := self._reprompt_since(taken[1])):
            raise GaveUp(
                f"interrupts: nothing was being said; what came {cut.agent_started - taken[0]:.1f} s later was the "
                f"bot's {asked!r}. The last answer had been taken by hears: leave out that hears. To speak over the "
                f"question itself, wait for it first: caller.waits(…)"
            )
        said = self._heard(cut.agent_started, cut.agent_stopped)
        silent = self._silent_at(cut.speech.speech_started)
        if silent and not any(isinstance(frame, Interruption | Pause) for frame in self._log.seen[seen:]):
            raise GaveUp(
                f"expected to interrupt the agent {after:g} s after it began to speak, but it was done {silent:.2f} s "
                f"before the caller spoke: it said {said!r}. Interrupt it sooner, or give it more to say. What `hears` "
                f"has returned is over and cannot be interrupted"
            )
        await self._settled(seen)
        return BargeIn(cut.speech, cut.agent_started, cut.agent_stopped, said)

    async def waits(self, seconds: float) -> None:
        """Say nothing for a while."""
        self._taken = None
        await self.caller.waits(seconds)

    async def presses(self, digits: str) -> None:
        """Press keys."""
        self._taken = None
        await self.caller.presses(digits)

    async def hangs_up(
        self, *, while_saying: str | bytes | PathLike[str] | None = None, after: float = 0.0
    ) -> CallReport:
        """Hang up, also in the middle of a word. Returns the bot's report.

        Args:
            while_saying: begin to say this, and hang up in the midst of it.
            after: so many seconds from its beginning.
        """
        await self.caller.hangs_up(while_saying=while_saying, after=after)
        return await self.report()

    async def report(self, *, timeout: float | None = None) -> CallReport:
        """Wait for the end of the call; returns the bot's report.

        Args:
            timeout: seconds; default: two minutes.

        Raises:
            GaveUp: it has not ended by then.
        """
        __tracebackhide__ = True
        limit = END_LIMIT if timeout is None else timeout
        try:
            async with asyncio.timeout(limit):
                return await asyncio.shield(self._report)
        except TimeoutError:
            raise GaveUp(
                f"the call has not ended after {limit:g} s"
                + ("" if self.carrier.ended else "; nobody has hung up: use caller.hangs_up(), or have the agent do it")
            ) from None

    def _reprompt_since(self, seen: int) -> str:
        """Which of the library's questions the agent's next words were, after so many signals; empty: none."""
        phrases = self.call.phrases
        began = [frame.answer.text.strip() for frame in self._log.seen[seen:] if isinstance(frame, AnswerBegan)]
        return began[0] if began and began[0] in (phrases.still_there, phrases.not_understood) else ""

    def _heard(self, started: float, ended: float) -> str:
        return self.lexicon.text(self.carrier.truth.heard_between(started, ended))

    def _silent_at(self, at: float) -> float:
        """Seconds that the agent had been silent then, if it was heard no more; 0 when it was still to be heard."""
        truth = self.carrier.truth
        sample = truth.sample_at(at)
        if truth.next_sound(sample) is not None:
            return 0.0
        heard = self.carrier.playback.heard[:sample]
        return (len(heard) - len(heard.rstrip(QUIET))) / RATE

    async def _settled(self, seen: int) -> None:
        """Wait until it is decided whether those that were paused since so many signals go on, and the bot knows what
        was heard of those that were cut."""
        if not self._decided(seen):
            limit = asyncio.get_running_loop().time() + SETTLE_LIMIT
            await self.carrier.when(lambda: self._decided(seen) or asyncio.get_running_loop().time() >= limit)

    def _decided(self, seen: int) -> bool:
        """Whether it is by now."""
        paused: set[Answer] = set()
        cut: set[Answer] = set()
        known: set[Answer] = set()
        for frame in self._log.seen[seen:]:
            if isinstance(frame, Pause):
                paused.add(frame.answer)
            elif isinstance(frame, Resume):
                paused.discard(frame.answer)
            elif isinstance(frame, Interruption):
                cut.add(frame.answer)
            elif isinstance(frame, HeardFrame) and frame.final:
                known.add(frame.answer)
        return all(answer in known or "sent" not in answer.milestones for answer in paused | cut)

    async def _told(self, error: Exception) -> Exception:
        """The error for the test, without the frames of the caller; of an end with what the bot's side says of it."""
        if isinstance(error, CallEnded) and self.taken:
            await asyncio.wait({self._report}, timeout=WHY_LIMIT)
        report = self.ended
        if report is None or not isinstance(error, CallEnded):
            return type(error)(str(error))
        last = report.faults[-1] if report.faults else None
        why = f", {last.kind}: {last.message}" if last else ""
        return CallEnded(f"{error}; the bot's side: {report.reason}{why}")

    # --- the joint with `dial` ------------------------------------------------------------------------------

    @property
    def ended(self) -> CallReport | None:
        """The bot's report, when the call is over."""
        return self._report.result() if self._report.done() and not self._report.cancelled() else None

    @property
    def taken(self) -> bool:
        """Whether the bot has taken the call."""
        return self._call is not None

    def take(self, call: Call) -> None:
        """The bot takes the call; nothing of it has begun."""
        self._call = call
        self._began = wallclock.now_iso()
        call.observe(self._log)
        call.observe(self.witness)
        if call.log is None:
            call.log = EventLog()
        call.on_end(self._ended)

    def timeline(self, report: CallReport) -> Timeline:
        """What happened, as the bot learnt of it; made now, from what was kept."""
        return timeline_of(self.call, zip(self._log.times, self._log.seen, strict=True), report, self._began)

    def leave(self, at: float) -> None:
        """An error leaves the block: keep what the call was at."""
        self.left = at
        self.over = self._report.done()
        engine = self._call._engine if self._call is not None else None
        if engine is None:
            return
        for answer in engine.answers:
            written = f" {answer.text.strip()[:60]!r}" if answer.text.strip() else ""
            still = "not all heard" if answer.finished else "not written to its end"
            self.unfinished.append(f"answer {answer.id}{written}, {still}")
        names = [work.name for work in engine.registry.tasks.values()]
        self.unfinished += [f"task {name}" for name in names if name not in _ALWAYS]

    def _ended(self, report: CallReport) -> None:
        if not self._report.done():
            self._report.set_result(report)
