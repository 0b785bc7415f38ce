"""One phone call: what it is, and what one can do to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from voiceloop.answer import Answer
from voiceloop.call_record import Record
from voiceloop.conversation import Message, ToolCall
from voiceloop.errors import VoiceloopError
from voiceloop.eventlog import EventLog
from voiceloop.faults import describe
from voiceloop.frames import Audio, Expecting, Fault, Frame, Pause, Resume, Text, Word
from voiceloop.journal import Journal, from_outside
from voiceloop.keypad import SECRECY, Keyed, KeyOptions, Keypad, collect, secret_keys
from voiceloop.language import Cues, Phrases
from voiceloop.leaving import Leaving
from voiceloop.played import Played
from voiceloop.processor import NotRunning
from voiceloop.registry import Timer, Work
from voiceloop.report import CallReport, Turn
from voiceloop.runtime import Canned, Runtime
from voiceloop.served import Served
from voiceloop.spoken_answer import Round

if TYPE_CHECKING:
    from voiceloop.engine import Engine
    from voiceloop.processor import Processor

__all__ = ["Call"]

T = TypeVar("T")


class Call(Leaving):
    """One phone call. Handed to ``bot(call)``; lives until `Pipeline.run` returns.

    Args:
        transport: the processor that hears the caller and speaks to them; the head of the pipeline.
        id: the carrier's id of the call.
        caller: the caller's number, if known.
        number: the number that was called, if known.
        direction: ``inbound`` or ``outbound``.
        params: what the carrier's webhook attached to the call.
        runtime: what calls share; a new one when not given.
    """

    def __init__(
        self,
        transport: Processor,
        *,
        id: str = "",
        caller: str = "",
        number: str = "",
        direction: str = "inbound",
        params: dict[str, str] | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        super().__init__()
        self.transport = transport
        self.id = id
        self.caller = caller
        self.number = number
        self.direction = direction
        self.params = dict(params or {})
        self.runtime = runtime or Runtime()
        self._record = Record(id, console=self.runtime.console)
        self.conversation = self._record.conversation
        self.turns = self._record.turns
        self.usage = self._record.usage
        self.faults = self._record.faults
        self._now = 0.0
        self.voice: object = None
        """The voice provider of the pipeline; canned speech is kept per voice."""
        self.ahead: list[str] = []
        """Texts that the voice renders before the call begins: the greeting. Filled in `Processor.start`."""
        self.reader: Callable[[str], Awaitable[list[tuple[str, int]]]] | None = None
        """Gives what is spoken for a text, as in `Answer.script`: of a stage that reads texts before the voice."""
        self.scripts: dict[str, list[tuple[str, int]]] = {}
        """What was rendered ahead otherwise than it is written, by the text as it is written."""
        self.made_by: object = None
        """The bot that answers it, when the server says."""
        self.replayed = False
        """True when this is a recorded call that is driven again: hooks that do something to others should not."""
        self.keypad = Keypad()
        """Who takes the keys of the caller's telephone, and whether they are secret."""
        self.entrances: dict[str, Callable[..., None]] = {SECRECY: self.keypad.secrecy}
        """What comes from outside by another way than a method of the call, by name; see `enter`."""
        self.journal: Journal | None = None
        """Stands at the gate: writes down all that enters the call, or drives it; see `voiceloop.journal`."""
        self.log: EventLog | None = EventLog() if self.runtime.log_events else None
        self.language = "en"
        """BCP 47 tag of the language that is spoken. `Pipeline` says which; what stands here before it runs is the
        default."""
        self.phrases = Phrases()
        """What the library itself says."""
        self.cues = Cues()
        """Words of the caller that tell it something."""
        self.playing = Played()
        """What goes to the caller's ear. Those who hear the caller compare it with what comes back."""
        self.observers: list[Processor] = []
        """Stand behind the pipeline; see `observe`."""
        self._engine: Engine | None = None
        self._fault_counts: Counter[str] = Counter()

    @property
    def now(self) -> float:
        """The time, seconds on the loop's clock. Decisions read this, never the clock.

        While frames are delivered it stands still: all that happens in one wake-up happens at one time.
        """
        engine = self._engine
        return self._now if engine is None or engine.delivering else engine.time()

    @property
    def began(self) -> float:
        """When it began, seconds on the loop's clock; 0 before that."""
        return self._record.started

    # --- what happens --------------------------------------------------------------------------------------

    def wake(self, kind: str, detail: object = "") -> None:
        """The gate of the call: every wake-up passes here, is stamped, and can be logged."""
        self._now = self._engine.time() if self._engine is not None else asyncio.get_running_loop().time()
        if self.log is not None:
            self.log.add(self.now, kind, detail)

    def on_turn(self, callback: Callable[[Turn], object]) -> Callable[[Turn], object]:
        """Call this with every finished `Turn`. Usable as a decorator."""
        self._record.on_turn(callback)
        return callback

    def on_end(self, callback: Callable[[CallReport], object]) -> Callable[[CallReport], object]:
        """Call this with the `CallReport` when the call is over. Usable as a decorator."""
        self._record.on_end(callback)
        return callback

    def observe(self, observer: Processor) -> None:
        """Have a processor stand behind the pipeline's last one: every signal passes it, and it changes nothing.

        Raises:
            VoiceloopError: the call has begun.
        """
        if self._ended is not None:
            raise VoiceloopError(f"call.observe({observer.name}()) comes too late: the call has begun")
        self.observers.append(observer)

    # --- what one can do -----------------------------------------------------------------------------------

    @from_outside
    def say(self, text: str, *, interruptible: bool = True) -> Answer:
        """Say something, after what is being said now. Speech that was rendered ahead is played at once."""
        audio = self._canned(text)
        if audio is not None:
            answer = self.play(audio.audio, text=text, words=audio.words, interruptible=interruptible)
            answer.script += self.scripts.get(text, ())
            return answer
        engine = self._running("say")
        answer = self._begin(engine, interruptible)
        answer.text = text
        answer.stamp("text", self.now)
        engine.dispatch(Text(answer, text), engine.head)
        engine.finish(answer, -1)
        return answer

    @from_outside
    def play(self, audio: bytes, *, text: str = "", words: Iterable[Word] = (), interruptible: bool = True) -> Answer:
        """Play audio (mu-law, 8000 Hz), after what is being said now.

        Args:
            audio: what is played.
            text: what it says, for the record.
            words: the words of `text`, with times in seconds from the first sample; without them what was heard of it
                is an estimate.
            interruptible: False for speech that the caller may not cut off.
        """
        engine = self._running("play")
        answer = self._begin(engine, interruptible)
        answer.text = text
        for milestone in ("text", "audio"):
            answer.stamp(milestone, self.now)
        engine.dispatch(Audio(answer, audio, tuple(words), silent=not text), engine.head)
        engine.finish(answer, -1)
        return answer

    def open_answer(self, *, interruptible: bool = True) -> Answer:
        """Begin an answer whose content somebody pushes by hand, until `Processor.finish_answer`."""
        return self._begin(self._running("open_answer"), interruptible)

    def _begin(self, engine: Engine, interruptible: bool) -> Answer:
        return engine.begin(-1, None, False, interruptible, own=False)

    def live_answers(self) -> list[Answer]:
        """Answers that have begun and not ended, oldest first."""
        return list(self._running("live_answers").answers)

    def unheard_answers(self) -> list[Answer]:
        """Answers of which anything may still be heard, oldest first: the live ones, and those that have failed and of
        which what was made is still being played."""
        return list(self._running("unheard_answers").unheard)

    @from_outside
    def interrupt(self, answer: Answer | None = None) -> None:
        """Cut an answer off, or every one that is still to be heard and may be interrupted. Its content is dropped from
        this moment."""
        engine = self._running("interrupt")
        cut = [answer] if answer is not None else [each for each in engine.unheard if each.interruptible]

        def end() -> None:  # in one go: all are dead before anyone hears of it, or the next one would begin
            for each in cut:
                if not engine.end(each, "interrupted"):
                    engine.silence(each)

        engine.within(end)

    @from_outside
    def discard(self, answer: Answer) -> None:
        """Drop an answer of which nothing was heard."""
        self._running("discard").end(answer, "discarded")

    @from_outside
    def commit(self, answer: Answer) -> None:
        """Let a speculative answer be heard."""
        self._running("commit").commit(answer)

    @from_outside
    def expect(self, what: Any) -> None:
        """Say what the caller will answer, so that turn-taking waits as long as that needs; holds for one turn.

        Args:
            what: a `voiceloop.Expect`, such as ``Expect.phone_number()``; None to expect nothing any more.
        """
        self.broadcast(Expecting(what))

    @from_outside
    def pause(self, answer: Answer) -> None:
        """Hold the voice of this answer; what was sent and not heard is kept."""
        self.broadcast(Pause(answer))

    @from_outside
    def resume(self, answer: Answer) -> None:
        """Let a paused answer go on, from the first word that was not heard."""
        self.broadcast(Resume(answer))

    def remember(
        self, answer: Answer, heard: str, unheard: str = "", interrupted: bool = False, bound: int = 0
    ) -> None:
        """Keep the conversation's record of an answer up to date: what was heard of it, and what was not.

        It enters the conversation when the first of it was heard. `bound`: by how many words `heard` may be off.
        """
        self._record.remember(answer, heard, unheard, interrupted, bound)

    def note_tools(self, answer: Answer, calls: tuple[ToolCall, ...], echo: object = None) -> Round:
        """The model asked for tools in the middle of an answer; the results go into `Round.given`."""
        return self._record.note_tools(answer, calls, echo)

    def messages_for(self, answer: Answer | None) -> list[Message]:
        """The conversation for a request of the answer that is being written: its own text as written, all else as
        heard."""
        return self._record.messages_for(answer)

    def note_served(self, kind: str, served: Served) -> None:
        """Keep who did the work of a request to providers of a kind (``stt``, ``llm``, ``tts``)."""
        if self._record.note_served(kind, served):
            self.note_fault(f"{served.instead_of}.replaced", f"{served.name} does its work: {served.why}")

    @from_outside
    def enter(self, name: str, *arguments: Any) -> None:
        """Something outside happens to the call: act on it by the entrance of that name. A journal notes it."""
        self.entrances[name](*arguments)

    async def awaited(self, work: Callable[[], Awaitable[T]]) -> T:
        """Wait for something outside of the call: what ``work()`` gives. A journal notes when it came."""
        return await (work() if self.journal is None else self.journal.awaited(work))

    async def send_digits(self, digits: str) -> None:
        """Press keys on the telephone line, for menus of other systems ("for sales, press one").

        The tones are played into the line, behind what is being said now.

        Args:
            digits: keys to press, of 0-9, *, #, A-D; "w" waits for half a second.
        """
        from voiceloop.audio.dtmf import tones

        self.play(tones(digits), interruptible=False)

    async def collect_digits(
        self,
        *,
        prompt: str = "",
        count: int | None = None,
        terminator: str = "#",
        clear: str = "",
        timeout: float = 5.0,
        first: float = 10.0,
        interrupts: bool = True,
        secret: bool = False,
    ) -> Keyed:
        """Wait for what the caller enters on the keys. Meanwhile keys are in no turn, and nobody asks whether the
        caller is there. Speech is: a turn of the caller's ends the waiting. In a tool, give that a `timeout` to match.

        Args:
            prompt: said first, "Please enter your PIN". In a tool it is a part of the answer the tool runs for.
            count: so many keys end it; None: 64 at most.
            terminator: the key that ends it; empty: none does.
            clear: the key that takes back what was entered so far; empty: none does.
            timeout: so many seconds after the last key it ends.
            first: so many seconds without any key it ends; they count from when the agent has spoken.
            interrupts: whether the first key cuts the prompt short; not in a tool.
            secret: whether the keys are kept out of every log; see `secret_keys`.

        Returns: the keys, and what ended it; none when the caller entered none, or the call is over.

        Raises:
            VoiceloopError: keys are waited for already, or the pipeline has no `TurnTaking`.
            ValueError: there is no such key, or a limit that cannot be.
        """
        options = KeyOptions(terminator, count, timeout, clear, interrupts, secret)
        return await collect(self, options, first, prompt)

    def secret_keys(self) -> AbstractContextManager[None]:
        """While this is open (``with call.secret_keys():``), keys that the caller presses are kept out of the event
        log, recordings, the timeline, faults and what the model is told, and so is the caller's audio, which may hold
        their tones. Frames and `Keyed` hold them, and do not print them."""
        return secret_keys(self)

    def broadcast(self, frame: Frame) -> None:
        """Send a signal to every processor of the call."""
        engine = self._running("broadcast")
        engine.dispatch(frame, engine.head)

    def work(self, coroutine: Coroutine[Any, Any, T], name: str = "work") -> asyncio.Future[T]:
        """Run something for the caller (a booking, a CRM write) that no interruption cancels. It ends with the call.

        An interruption that cancels the handler which awaits the returned future ends the waiting, not the work.
        """
        if self._engine is None:
            coroutine.close()
        work = self._running("work").spawn(coroutine, name, kept=True, on_done=self._work_done)
        assert work.task is not None
        result: asyncio.Future[T] = asyncio.shield(work.task)
        result.add_done_callback(_seen)
        return result

    def timer(self, when: float, callback: Callable[[], None], name: str = "timer") -> Timer:
        """Call back at a time on the loop's clock, unless the call has ended by then."""
        engine = self._running("timer")
        if engine.closed:
            raise NotRunning(f"The timer {name!r} cannot be set any more: the call has ended.")
        return engine.registry.timer(when, partial(self._guarded, callback, f"timer.{name}"), name)

    def _guarded(self, callback: Callable[[], None], kind: str) -> None:
        try:
            callback()
        except (Exception, asyncio.CancelledError) as error:
            self.fault(kind, *describe(error))

    # --- faults --------------------------------------------------------------------------------------------

    def fault(self, kind: str, message: str, detail: str = "", answer: Answer | None = None) -> None:
        """Report a failure: it is recorded, broadcast, and counted; too many end the call."""
        self.note_fault(kind, message, detail)
        self._fault_counts[kind] += 1
        engine = self._engine
        if engine is None or engine.closed or self._fault_counts.total() > self.runtime.faults.in_all:
            return  # so many have ended the call already: no handler of faults can feed itself for ever
        engine.dispatch(Fault(kind, message, detail, answer, self.now), engine.head)
        if self.runtime.faults.ends_call(self._fault_counts[kind], self._fault_counts.total()):
            self.fail()

    def note_fault(self, kind: str, message: str, detail: str = "") -> None:
        """Record a failure that harms nobody: it is not broadcast, and does not count against the call."""
        at = self._engine.time() if self._engine is not None else self.now
        self._record.fault(kind, message, detail, at)

    def _canned(self, text: str) -> Canned | None:
        if self.voice is None:
            return None
        script = self.scripts.get(text)
        found = self.runtime.canned(self.voice, text if script is None else "".join(said for said, _ in script))
        return found if self.journal is None else self.journal.canned(text, found)

    # --- the engine's side ---------------------------------------------------------------------------------

    def _running(self, what: str) -> Engine:
        if self._engine is None:
            raise NotRunning(f"call.{what} needs a running call: it has not begun, or has ended.")
        return self._engine

    def _work_done(self, work: Work) -> None:
        if self._engine is not None:
            self._engine.work_ended(work, None)

    def _answer_closed(self, answer: Answer) -> None:
        """An answer is over and nothing of it is left to be heard."""
        self._record.close_answer(answer)
        apology = self._apologies.pop(answer, answer) is None
        if answer.outcome == "failed" and self._engine is not None and not self._engine.closed:
            if apology:
                self.end("failed")
            elif self.ending is None and not self._apologies:  # one for all that failed
                self._speak_or_end(self.phrases.apology)
        self._end_if_quiet()

    def _report(self, abandoned: list[str]) -> CallReport:
        return self._record.report(self.ending or "completed", self.now, abandoned, self.runtime.prices)

    def _cut(self) -> None:
        """Let go of everything that may lead back here."""
        self._engine = None
        self._let_go()
        self.reader = self.journal = self.made_by = None
        self.entrances.clear()
        self.keypad.cut()
        self._record.cut()


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()  # reported as a fault of the call, so nobody has to fetch it
