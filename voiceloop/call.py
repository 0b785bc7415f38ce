"""One phone call: what it is, and what one can do to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from voiceloop.answer import Answer
from voiceloop.carried import Carried
from voiceloop.errors import VoiceloopError
from voiceloop.frames import Expecting
from voiceloop.journal import from_outside
from voiceloop.keypad import SECRECY, Keyed, KeyOptions, Keypad, collect, secret_keys
from voiceloop.language import Cues
from voiceloop.leaving import Leaving
from voiceloop.played import Played
from voiceloop.report import CallReport, Turn
from voiceloop.runtime import Runtime

if TYPE_CHECKING:
    from voiceloop.processor import Processor
    from voiceloop.recording import Recording

__all__ = ["Call"]


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
        super().__init__(id, runtime or Runtime())
        self.transport = transport
        self.caller = caller
        self.number = number
        self.direction = direction
        self.params = dict(params or {})
        self.conversation = self._record.conversation
        self.turns = self._record.turns
        self.usage = self._record.usage
        self.faults = self._record.faults
        self.answered_by = ""
        """Who answered a call that we made, as far as it is known: ``human``, ``machine``, ``fax``, ``unknown``."""
        self.carried: Carried | None = None
        """What was said and done on the line before, when this call goes on after it was cut off."""
        self.recording: Recording | None = None
        """Keeps the call's sound, when it is to be kept; started and stopped by it."""
        self.made_by: object = None
        """The bot that answers it, when the server says."""
        self.replayed = False
        """True when this is a recorded call that is driven again: hooks that do something to others should not."""
        self.keypad = Keypad()
        """Who takes the keys of the caller's telephone, and whether they are secret."""
        self.entrances: dict[str, Callable[..., None]] = {SECRECY: self.keypad.secrecy}
        """What comes from outside by another way than a method of the call, by name; see `enter`."""
        self.language = "en"
        """BCP 47 tag of the language that is spoken. `Pipeline` says which; what stands here before it runs is the
        default."""
        self.cues = Cues()
        """Words of the caller that tell it something."""
        self.playing = Played()
        """What goes to the caller's ear. Those who hear the caller compare it with what comes back."""
        self.observers: list[Processor] = []
        """Stand behind the pipeline; see `observe`."""

    @property
    def began(self) -> float:
        """When it began, seconds on the loop's clock; 0 before that."""
        return self._record.started

    # --- what happens --------------------------------------------------------------------------------------

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
    def expect(self, what: Any) -> None:
        """Say what the caller will answer, so that turn-taking waits as long as that needs; holds for one turn.

        Args:
            what: a `voiceloop.Expect`, such as ``Expect.phone_number()``; None to expect nothing any more.
        """
        self.broadcast(Expecting(what))

    @from_outside
    def enter(self, name: str, *arguments: Any) -> None:
        """Something outside happens to the call: act on it by the entrance of that name. A journal notes it."""
        self.entrances[name](*arguments)

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

    # --- the engine's side ---------------------------------------------------------------------------------

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
        self.reader = self.journal = self.made_by = self.recording = None
        self.entrances.clear()
        self.keypad.cut()
        self._record.cut()
