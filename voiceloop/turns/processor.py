"""Turn-taking in a pipeline: what is heard and what is played in, the caller's turns and interruptions out."""

from __future__ import annotations

from collections.abc import Mapping

from voiceloop.answer import Answer, AnswerState
from voiceloop.conversation import Message
from voiceloop.frames import (
    AnswerBegan,
    AnswerEnded,
    Backchannel,
    CallEnd,
    CallerAudio,
    CallStart,
    Commit,
    Digit,
    Expecting,
    PlayoutFinished,
    PlayoutStarted,
    Speculation,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    UserTurn,
)
from voiceloop.keypad import KeyOptions
from voiceloop.processor import Processor
from voiceloop.registry import Timer
from voiceloop.report import Turn
from voiceloop.turns.adaptive import AdaptiveEndpointing
from voiceloop.turns.collect import Collector
from voiceloop.turns.ear import Ear
from voiceloop.turns.endpointing import Endpointing
from voiceloop.turns.events import (
    Action,
    Correct,
    Discard,
    EndTurn,
    HangUp,
    Hold,
    Interrupt,
    ModelSilent,
    NoTranscript,
    Nudge,
    Release,
    Reprompt,
    SetAside,
    Speculate,
    TurnOptions,
)
from voiceloop.turns.last_words import correct, keep
from voiceloop.turns.machine import Agent, Caller, TurnMachine
from voiceloop.turns.opening import open_call
from voiceloop.turns.own_words import OwnWords
from voiceloop.turns.rules import Rule, Situation, rules_with
from voiceloop.watchdogs import bark

__all__ = ["TurnTaking"]


class TurnTaking(Processor):
    """Decides when the caller is done, when the agent is interrupted, and when silence has lasted too long.

    Stands behind the recogniser and in front of the model.

    Args:
        greeting: said when the call begins; rendered before, so that it comes at once. Empty: the caller begins. A call
            that was cut off and comes back is not greeted: it goes on (`voiceloop.turns.opening`).
        options: silences and limits.
        endpointing: how long a silence ends a turn; default: by what was said (`AdaptiveEndpointing`). One object for
            each call.
        rules: what interrupts the agent, for the situations in which it is to be otherwise than in `RULES`.
        keys: when what the caller enters on the keys is complete; then it is their turn, or a part of it. None: keys
            take no turn.
    """

    def __init__(
        self,
        greeting: str = "",
        options: TurnOptions | None = None,
        *,
        endpointing: Endpointing | None = None,
        rules: Mapping[Situation, Rule] | None = None,
        keys: KeyOptions | None = KeyOptions(),  # noqa: B008 (frozen)
    ) -> None:
        self.greeting = greeting
        self._endpointing = endpointing = endpointing or AdaptiveEndpointing()
        self._rules = rules_with(rules)
        self._keys = keys
        self._decides = self._machine_with(options)
        self._ear = Ear(endpointing) if endpointing.listens else None
        self._opening: tuple[Answer, ...] = ()
        self._collector: Collector | None = None
        self._guess: UserTurn | None = None
        self._own = OwnWords()
        self._pauses = 0  # how often the caller began or paused
        self._timer: Timer | None = None
        self._deadline: float | None = None
        self._last: UserTurn | None = None
        self._said_before: tuple[int, str] = (0, "")  # what the conversation had of the caller when that was pushed
        self._went_on_from = ""  # text of the turn that the last one goes on from
        self._over = False

    @property
    def options(self) -> TurnOptions:
        """Silences and limits. May be set before the call begins."""
        return self._decides.options

    @options.setter
    def options(self, options: TurnOptions) -> None:
        self._decides = self._machine_with(options)

    def _machine_with(self, options: TurnOptions | None) -> TurnMachine:
        return TurnMachine(options, None, self._endpointing, self._rules, self._keys)

    @property
    def _machine(self) -> TurnMachine:
        """The machine, for an event: it must know whether the call ends by itself.

        Who is handed over may cut that short: the line does not go dead.
        """
        machine, call = self._decides, self.call
        machine.ending = call.ending not in (None, "transferred") and not machine.over
        machine.floor.tool_runs = any(answer.working for answer in call.live_answers())
        return machine

    async def start(self) -> None:
        """Have the greeting rendered ahead, and learn the language's cue words."""
        self._decides.heard.cues = self.call.cues
        self._collector = Collector(self.call, self._keys_awaited)
        if self._decides.heard.keys is not None:
            self.call.keypad.use(self._decides.heard.keys.options)
        if self.greeting and not (self.call.carried is not None and self.call.carried.messages):
            self.call.ahead.append(self.greeting)

    def on_call_start(self, start: CallStart) -> None:
        """Greet, or go on where the call was when its line was lost."""
        before = self.call.carried.duration if self.call.carried is not None else 0.0
        self._act(self._machine.call_started(self.call.now, before))
        if self.call.ending is not None:
            return  # a stage could not start, and the goodbye was said
        self._opening, turn = open_call(self.call, self.greeting)
        if turn is not None:
            self._said_before = self._of_caller()
            self._last = turn if turn.text else None
            self.push(turn)

    def on_expecting(self, expecting: Expecting) -> None:
        """The bot knows what comes next."""
        self._decides.expect(expecting.what)

    # --- the caller ----------------------------------------------------------------------------------------

    def on_caller_audio(self, audio: CallerAudio) -> None:
        """Keep what an audio model may want to hear."""
        if self._ear is not None:
            self._ear.hear(audio.audio)

    def on_speech_started(self, speech: SpeechStarted) -> None:
        """The caller speaks."""
        self._pauses += 1
        self._act(self._machine.speech_started(self.call.now, speech.at))

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        """The caller is silent for a moment."""
        self._act(self._machine.speech_paused(self.call.now, speech.at))
        if self._ear is not None and not self._over:
            self._pauses += 1
            self.call.work(self._judge(self._ear, self._pauses), "endpointing")

    async def _judge(self, ear: Ear, pause: int) -> None:
        """How the end of what was said sounds; of no use once the caller has gone on."""
        call = self.call
        try:
            done = await call.awaited(lambda: call.runtime.offload(ear.judgement(), virtual_cost=ear.cost))
        except Exception as error:
            call.note_fault("endpointing.failed", f"{type(error).__name__}: {error}; the words alone decide")
            return
        if pause == self._pauses and not self._over:
            self._act(self._machine.judged(call.now, done))

    def on_transcript(self, transcript: Transcript) -> None:
        """The recogniser has understood something."""
        machine, now = self._machine, self.call.now
        if machine.floor.doing is Agent.SPEAKING:
            self._own.sounds(now)
        known = machine.heard.said.knows(transcript.segment, transcript.utterance)  # speech was detected then
        speech, returns = known or machine.caller is not Caller.SILENT, self.call.playing.returns
        text = self._own.taken_out(transcript.text, now, self.call.conversation, speech=speech, returns=returns)
        self._act(
            machine.transcript(
                now,
                text,
                final=transcript.final,
                segment=transcript.segment,
                settled=transcript.settled,
                utterance=transcript.utterance,
                anew=transcript.anew,
            )
        )

    def on_digit(self, digit: Digit) -> None:
        """A key was pressed: it goes to who waits for keys, or is a part of the caller's turn."""
        taken = self._collector is not None and self._collector.press(digit)
        self._act(self._machine.digit(self.call.now, "" if taken else digit.digit, secret=digit.secret))

    def _keys_awaited(self) -> None:
        """Somebody waits for keys, or does not any more."""
        if not self._over:
            self._act(self._machine.keys_awaited(self.call.now, self.call.keypad.waiting))

    # --- the agent -----------------------------------------------------------------------------------------

    def on_answer_began(self, began: AnswerBegan) -> None:
        """The agent begins to answer, or to say something by itself."""
        answer = began.answer
        if answer.turn is not None and answer.turn.withdrawn:
            self.call.interrupt(answer)  # before its answer began
        elif answer.state is AnswerState.SPECULATIVE:
            if answer.turn is not None and answer.turn is not self._guess:
                self.call.discard(answer)  # what it answers was taken back before it began
        else:
            self._begin(answer)

    def on_commit(self, commit: Commit) -> None:
        """A speculative answer is one now."""
        self._begin(commit.answer)

    def _begin(self, answer: Answer) -> None:
        protected, greeting = not answer.interruptible, answer in self._opening
        machine = self._machine
        self._act(machine.answer_began(self.call.now, answer.id, protected=protected, greeting=greeting))

    def on_playout_started(self, playout: PlayoutStarted) -> None:
        """The agent is heard."""
        self._decides.heard.asked = playout.answer.text
        self._act(self._machine.agent_started(self.call.now, playout.answer.id, playout.at))

    def on_playout_finished(self, playout: PlayoutFinished) -> None:
        """The agent is silent."""
        self._own.sounds(self.call.now)
        self._decides.heard.asked = playout.answer.text
        self._act(self._machine.agent_finished(self.call.now, playout.answer.id, playout.at))

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        """Nothing of an answer will be heard; of one that is still playing, `PlayoutFinished` tells."""
        if not ended.answer.playing:
            self._act(self._machine.answer_ended(self.call.now, ended.answer.id))

    def on_call_end(self, end: CallEnd) -> None:
        """Decide nothing any more; what was said and is in no turn is kept."""
        self._over = True
        self._pauses += 1
        if self._collector is not None:
            self._collector.end("call")
            self._collector = None  # it leads back here
        machine, last = self._decides, self._last
        conversation = self.call.conversation
        corrections = machine.call_ended()
        if last is not None and not last.withdrawn and self._of_caller() == self._said_before:
            keep(conversation, last.text, self._went_on_from)  # the call ended before the model could take it
        if machine.pending:
            continued = machine.heard.said.continued and last is not None
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
        elif isinstance(action, Hold | Release):
            self._hold(action)
        elif isinstance(action, Correct):
            self._correct(action)
        elif isinstance(action, Speculate | Discard):
            self._speculate(action)
        elif isinstance(action, SetAside):
            self.call.conversation.append(Message("user", action.text, aside=True))
            self.push(Backchannel(action.text, action.started, action.ended))
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
        self.call.conversation.changed()
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
        if self._collector is not None:
            self._collector.end("speech")
        self._said_before = self._of_caller()
        self._went_on_from = self._last.text if action.continued and self._last is not None else ""
        endpointed = min(now, action.ended + action.silence)
        turn = UserTurn(
            action.text,
            action.started,
            action.ended,
            endpointed,
            now,
            action.continued,
            guessed=action.guessed,
            why=action.why,
        )
        if action.guessed is not None and (guess := self._guess) is not None:
            guess.text, guess.ended, guess.endpointed, guess.decided = turn.text, turn.ended, endpointed, now
            guess.guessed, guess.why = action.guessed, action.why
            turn = guess
        self._last, self._guess = turn, None
        self.push(turn)

    def _speculate(self, action: Speculate | Discard) -> None:
        guess, self._guess = self._guess, None
        if guess is not None:
            for answer in self.call.live_answers():
                if answer.turn is guess:
                    self.call.discard(answer)
        if isinstance(action, Speculate):
            now = self.call.now
            self._guess = UserTurn(action.text, action.started, action.ended, now, now, action.continued)
            self.push(Speculation(self._guess))

    def _hold(self, action: Hold | Release) -> None:
        for answer in self.call.unheard_answers():
            if answer.id in action.answers:
                act = self.call.pause if isinstance(action, Hold) else self.call.resume
                act(answer)

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
