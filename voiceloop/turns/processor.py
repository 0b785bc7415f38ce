"""Turn-taking in a pipeline: what is heard and what is played in, the caller's turns and interruptions out."""

from __future__ import annotations

from voiceloop.frames import (
    AnswerBegan,
    AnswerEnded,
    CallEnd,
    CallStart,
    Digit,
    PlayoutFinished,
    PlayoutStarted,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    UserTurn,
)
from voiceloop.processor import Processor
from voiceloop.registry import Timer
from voiceloop.report import Turn
from voiceloop.turns.events import (
    Action,
    Correct,
    EndTurn,
    HangUp,
    Interrupt,
    ModelSilent,
    NoTranscript,
    Nudge,
    Reprompt,
    TurnOptions,
)
from voiceloop.turns.last_words import correct, keep
from voiceloop.turns.machine import TurnMachine
from voiceloop.watchdogs import bark

__all__ = ["TurnTaking"]


class TurnTaking(Processor):
    """Decides when the caller is done, when the agent is interrupted, and when silence has lasted too long.

    Stands behind the recogniser and in front of the model.

    Args:
        greeting: said when the call begins; rendered before, so that it comes at once. Empty: the caller begins.
        options: silences and limits.
    """

    def __init__(self, greeting: str = "", options: TurnOptions | None = None) -> None:
        self.greeting = greeting
        self._decides = TurnMachine(options)
        self._timer: Timer | None = None
        self._deadline: float | None = None
        self._last: UserTurn | None = None
        self._said_before: tuple[int, str] = (0, "")  # what the conversation had of the caller when that was pushed
        self._went_on_from = ""  # text of the turn that the last one goes on from
        self._over = False

    @property
    def _machine(self) -> TurnMachine:
        """The machine, for an event: it must know whether the call ends by itself.

        Who is handed over may cut that short: the line does not go dead.
        """
        machine = self._decides
        machine.ending = self.call.ending not in (None, "transferred") and not machine.over
        return machine

    async def start(self) -> None:
        """Have the greeting rendered ahead, and learn the language's cue words."""
        self._machine.unfinished = self.call.cues.unfinished
        if self.greeting:
            self.call.ahead.append(self.greeting)

    def on_call_start(self, start: CallStart) -> None:
        """Greet."""
        self._act(self._machine.call_started(self.call.now))
        if self.greeting and self.call.ending is None:  # else a stage could not start, and the goodbye was said
            self.call.say(self.greeting)

    # --- the caller ----------------------------------------------------------------------------------------

    def on_speech_started(self, speech: SpeechStarted) -> None:
        """The caller speaks."""
        self._act(self._machine.speech_started(self.call.now, speech.at))

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        """The caller is silent for a moment."""
        self._act(self._machine.speech_paused(self.call.now, speech.at))

    def on_transcript(self, transcript: Transcript) -> None:
        """The recogniser has understood something."""
        self._act(
            self._machine.transcript(
                self.call.now,
                transcript.text,
                final=transcript.final,
                segment=transcript.segment,
                settled=transcript.settled,
                utterance=transcript.utterance,
                anew=transcript.anew,
            )
        )

    def on_digit(self, digit: Digit) -> None:
        """A key was pressed."""
        self._act(self._machine.digit(self.call.now))

    # --- the agent -----------------------------------------------------------------------------------------

    def on_answer_began(self, began: AnswerBegan) -> None:
        """The agent begins to answer, or to say something by itself."""
        answer = began.answer
        if answer.turn is not None and answer.turn.withdrawn:
            self.call.interrupt(answer)  # before its answer began
        else:
            protected = not answer.interruptible
            self._act(self._machine.answer_began(self.call.now, answer.id, protected=protected))

    def on_playout_started(self, playout: PlayoutStarted) -> None:
        """The agent is heard."""
        self._act(self._machine.agent_started(self.call.now, playout.answer.id, playout.at))

    def on_playout_finished(self, playout: PlayoutFinished) -> None:
        """The agent is silent."""
        self._act(self._machine.agent_finished(self.call.now, playout.answer.id, playout.at))

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        """Nothing of an answer will be heard; of one that is still playing, `PlayoutFinished` tells."""
        if not ended.answer.playing:
            self._act(self._machine.answer_ended(self.call.now, ended.answer.id))

    def on_call_end(self, end: CallEnd) -> None:
        """Decide nothing any more; what was said and is in no turn is kept."""
        self._over = True
        machine, last = self._decides, self._last
        conversation = self.call.conversation
        corrections = machine.call_ended()
        if last is not None and not last.withdrawn and self._of_caller() == self._said_before:
            keep(conversation, last.text, self._went_on_from)  # the call ended before the model could take it
        if machine.pending:
            continued = machine.said.continued and last is not None
            keep(conversation, machine.pending, last.text if continued and last is not None else "")
        for correction in corrections:
            self._correct(correction)

    # --- decisions -----------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._timer = None
        self._act(self._machine.tick(self.call.now))

    def _act(self, actions: list[Action]) -> None:
        for action in actions:
            if not self._over:
                self._do(action)
        if not self._over:
            self._set_timer()

    def _do(self, action: Action) -> None:
        call = self.call
        phrases = call.phrases
        if isinstance(action, EndTurn):
            self._end_turn(action)
        elif isinstance(action, Interrupt):
            self._interrupt(action)
        elif isinstance(action, Correct):
            self._correct(action)
        elif isinstance(action, ModelSilent):
            self._model_silent(action)
        elif call.ending is not None:
            return  # the last words have been said, or are just being said
        elif isinstance(action, NoTranscript):
            bark(call, "no_transcript", action.waited, action.limit)
            call.say(phrases.not_understood, interruptible=not action.speaking)
        elif isinstance(action, Nudge):
            call.say(phrases.not_understood)
        elif isinstance(action, Reprompt):
            call.say(phrases.still_there)
        elif isinstance(action, HangUp):
            call.say(phrases.goodbye, interruptible=False)
            call.hang_up(action.reason)

    def _correct(self, action: Correct) -> None:
        """What the caller said is remembered as the recogniser has understood it in the end."""
        correct(self.call.conversation, action.before, action.text)
        for turn in [self._last, *reversed(self.call.turns)]:
            if isinstance(turn, Turn) and turn.caller == action.before:
                turn.caller = action.text
                return
            if isinstance(turn, UserTurn) and turn.text == action.before:
                turn.text = action.text

    def _model_silent(self, action: ModelSilent) -> None:
        call = self.call
        late = next((answer for answer in call.live_answers() if "played" not in answer.milestones), None)
        bark(call, "model_silent", action.waited, action.limit, answer=late)
        if call.ending is not None:  # the last words do not come: so that the line does not just go dead
            call.say(call.phrases.goodbye, interruptible=False)
        call.give_up_answers("model.silent", "no answer was heard in time after the caller's turn")

    def _of_caller(self) -> tuple[int, str]:
        """What the conversation holds of the caller: how many messages, and the last."""
        texts = [message.text for message in self.call.conversation if message.role == "user"]
        return len(texts), texts[-1] if texts else ""

    def _end_turn(self, action: EndTurn) -> None:
        now = self.call.now
        self._said_before = self._of_caller()
        self._went_on_from = self._last.text if action.continued and self._last is not None else ""
        endpointed = min(now, action.ended + action.silence)
        turn = UserTurn(action.text, action.started, action.ended, endpointed, now, action.continued)
        self._last = turn
        self.push(turn)

    def _interrupt(self, action: Interrupt) -> None:
        if action.withdrawn and self._last is not None:
            self._last.withdrawn = True
        for answer in self.call.unheard_answers():
            if answer.id in action.answers:
                self.call.interrupt(answer)

    def _set_timer(self) -> None:
        deadline = self._machine.deadline()
        if deadline == self._deadline and (deadline is None or self._timer is not None):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = deadline
        self._timer = None if deadline is None else self.call.timer(deadline, self._tick, "turn")
