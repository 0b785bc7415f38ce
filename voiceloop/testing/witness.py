"""Watches one call from behind its pipeline and keeps what happened, as plain facts: never the call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from voiceloop.answer import Answer, AnswerState
from voiceloop.conversation import Message
from voiceloop.frames import (
    AnswerBegan,
    AnswerEnded,
    AudioSent,
    CallEnd,
    CallStart,
    Commit,
    Fault,
    Heard,
    Interruption,
    MarkSent,
    Pause,
    PlayoutFinished,
    PlayoutStarted,
    Resume,
    Speculation,
    SpeechPaused,
    SpeechStarted,
    Transcript,
    UserTurn,
)
from voiceloop.llm.aggregator import LLMAggregator, LLMOptions
from voiceloop.processor import Processor
from voiceloop.report import CallReport
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.processor import TurnTaking

__all__ = ["AnswerFacts", "Guessed", "Pausing", "RecognisedSegment", "SentAudio", "Witness"]


class SentAudio(NamedTuple):
    """A piece of an answer's voice that went to the carrier."""

    answer: int
    """Number of the answer."""
    position: int
    """Where it begins in the answer's voice, bytes."""
    audio: bytes
    """Mu-law, 8000 Hz."""
    at: float
    """When, seconds on the loop's clock."""
    committed: bool
    """Whether the answer was allowed to be heard."""
    all_made: bool
    """Whether all of the answer's voice was made and known by then."""
    waiting: float
    """About how much of the answer's voice was made and not played, seconds."""


class Pausing(NamedTuple):
    """An answer was paused, or let go on."""

    answer: int
    """Number of the answer."""
    at: float
    """When, seconds on the loop's clock."""
    paused: bool
    """False: it was let go on."""
    turns: bool
    """Whether turn-taking did it, and not the bot's own code."""
    tool: bool
    """Whether a tool was at work for some answer: then only words interrupt."""


class Guessed(NamedTuple):
    """A guess at the caller's turn, on which an answer may have been begun."""

    at: float
    """When it was made, seconds on the loop's clock."""
    turn: UserTurn
    """The same object that comes as the turn when it comes true."""


@dataclass(slots=True)
class AnswerFacts:
    """One answer of the agent. Times are seconds on the loop's clock."""

    id: int
    began: list[float] = field(default_factory=list)
    """Each time it was said to begin: once."""
    ended: list[tuple[float, str]] = field(default_factory=list)
    """Each time it was said to end, and how: once."""
    interruptible: bool = True
    turn: int | None = None
    """Which of `Witness.turns` it answers; None when it answers none."""
    guess: int | None = None
    """Which of `Witness.guesses` it was begun on, come true or not; None when it was begun on none."""
    text: str = ""
    """All that was written."""
    script: tuple[tuple[str, int], ...] = ()
    """What was spoken instead: `voiceloop.answer.Answer.script`."""
    outcome: str = ""
    """``complete``, ``interrupted``, ``failed`` or ``discarded``; empty when it never ended."""
    provisional: bool = False
    """Whether it ended while it was still speculative."""
    milestones: dict[str, float] = field(default_factory=dict)
    started: list[float] = field(default_factory=list)
    """Each time its first sound was said to be heard: at most once."""
    stopped: list[float] = field(default_factory=list)
    """Each time its last sound was said to be heard: at most once."""
    cut: list[float] = field(default_factory=list)
    """Each time it was interrupted."""
    heard: str = ""
    """What was known to be heard of it at last, in the words the model wrote."""
    timed: int | None = None
    """How many words with times were said to be heard when that was final; None when it never was."""


@dataclass(slots=True)
class RecognisedSegment:
    """What the recogniser made of one segment of the caller's speech."""

    text: str
    """Its latest version."""
    at: float
    """When that came, seconds on the loop's clock."""
    final: bool
    """Whether it was said not to change any more."""
    versions: list[tuple[float, str]] = field(default_factory=list)
    """All that it was, the latest last, and when that came."""


class Witness(Processor):
    """Keeps what an invariant asks for. Attach it before the call begins: ``call.observe(witness)``.

    It adds little to what a call costs and keeps the agent's voice (8 kB for each second of speech); what it keeps
    holds nothing of the call.
    """

    def __init__(self) -> None:
        self.answers: dict[int, AnswerFacts] = {}
        """By number, in the order they began."""
        self.sent: list[SentAudio] = []
        """The agent's voice, in the order it went out."""
        self.turns: list[UserTurn] = []
        """The caller's turns as turn-taking told them."""
        self.transcripts: dict[tuple[int, int], RecognisedSegment] = {}
        """What was recognised, by utterance and segment."""
        self.speech: list[tuple[float, bool]] = []
        """The caller's speech as voice activity told it: when, and whether it began (or paused)."""
        self.faults: list[tuple[float, str]] = []
        """Failures that were told to the call: when, and of what kind."""
        self.pauses: list[Pausing] = []
        """When answers were paused and let go on, in order."""
        self.guesses: list[Guessed] = []
        """What turn-taking took for the caller's turn before it was over, in order."""
        self.marks = 0
        """Marks sent."""
        self.seeded: list[Message] = []
        """Messages that stood in the conversation before the call began."""
        self.turns_before = 0
        """Turns that it had on the lines before this one."""
        self.zero = 0.0
        """When the call's start was entered: what its report counts from."""
        self.options: TurnOptions | None = None
        """What turn-taking is set to; None when the pipeline has none."""
        self.model: LLMOptions | None = None
        """What the model's processor is set to; None when the pipeline has none."""
        self.began: float | None = None
        """When the call was up."""
        self.ending: float | None = None
        """When it was first seen that the call ends by itself: from then on its last words are said."""
        self.ended: float | None = None
        """When it was told that the call ends."""
        self.reported: list[float] = []
        """When each report of the call was made: once."""
        self._answers: dict[int, Answer] = {}
        self._turn_taking: TurnTaking | None = None

    # --- the call ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Ask to be told of the end, and learn what turn-taking is set to."""
        self.call.on_end(self._reported)
        self.zero, self.seeded = self.call.began, list(self.call.conversation)
        self.turns_before = len(self.call.turns)
        assert self._engine is not None
        for processor in self._engine.processors:
            if isinstance(processor, TurnTaking):
                self._turn_taking, self.options = processor, processor._machine.options
            elif isinstance(processor, LLMAggregator):
                self.model = processor.options

    def on_call_start(self, start: CallStart) -> None:
        self.began = self.call.now

    def on_call_end(self, end: CallEnd) -> None:
        self.ended = self.call.now

    def _look_at_the_end(self) -> None:
        if self.ending is None and self.call.ending is not None:
            self.ending = self.call.now

    def on_fault(self, fault: Fault) -> None:
        self.faults.append((fault.at, fault.kind))

    def _reported(self, report: CallReport) -> None:
        call = self.call
        self.reported.append(call.now)
        numbers = {id(turn): number for number, turn in enumerate(self.turns)}
        guesses = {id(guess.turn): number for number, guess in enumerate(self.guesses)}
        for answer in self._answers.values():
            facts = self.answers[answer.id]
            facts.text, facts.script = answer.text, tuple(answer.script)
            facts.outcome, facts.provisional = answer.outcome or "", answer.provisional
            facts.milestones = dict(answer.milestones)
            facts.turn = None if answer.turn is None else numbers.get(id(answer.turn))
            facts.guess = None if answer.turn is None else guesses.get(id(answer.turn))
        self._answers.clear()
        self._turn_taking = None

    # --- the caller ----------------------------------------------------------------------------------------

    def on_speech_started(self, speech: SpeechStarted) -> None:
        self.speech.append((speech.at, True))
        self._look_at_the_end()

    def on_speech_paused(self, speech: SpeechPaused) -> None:
        self.speech.append((speech.at, False))

    def on_transcript(self, transcript: Transcript) -> None:
        key = (-1 if transcript.utterance is None else transcript.utterance, transcript.segment)
        text, now, known = transcript.text.strip(), self.call.now, self.transcripts.get(key)
        if transcript.anew:
            for other, before in self.transcripts.items():
                if other[0] == key[0] and other != key:
                    before.text, before.at = "", now
                    before.versions.append((now, ""))
        if known is None:
            if text:
                self.transcripts[key] = RecognisedSegment(text, now, transcript.final, [(now, text)])
        elif text or not (
            transcript.settled or known.final
        ):  # else it says that no more will come, not that it is gone
            known.final = known.final or transcript.final
            if text != known.text:
                known.text, known.at = text, now
                known.versions.append((now, text))

    def on_user_turn(self, turn: UserTurn) -> None:
        self.turns.append(turn)

    def on_speculation(self, speculation: Speculation) -> None:
        self.guesses.append(Guessed(self.call.now, speculation.turn))

    # --- the agent -----------------------------------------------------------------------------------------

    def _of(self, answer: Answer) -> AnswerFacts:
        facts = self.answers.get(answer.id)
        if facts is None:
            facts = self.answers[answer.id] = AnswerFacts(answer.id, interruptible=answer.interruptible)
            self._answers[answer.id] = answer
        return facts

    def on_answer_began(self, began: AnswerBegan) -> None:
        self._of(began.answer).began.append(self.call.now)

    def on_answer_ended(self, ended: AnswerEnded) -> None:
        self._of(ended.answer).ended.append((self.call.now, ended.answer.outcome or ""))

    def on_commit(self, commit: Commit) -> None:
        self._of(commit.answer).milestones["committed"] = self.call.now

    def on_playout_started(self, playout: PlayoutStarted) -> None:
        self._of(playout.answer).started.append(playout.at)

    def on_playout_finished(self, playout: PlayoutFinished) -> None:
        self._of(playout.answer).stopped.append(playout.at)

    def on_interruption(self, interruption: Interruption) -> None:
        if (facts := self.answers.get(interruption.answer.id)) is not None:
            facts.cut.append(self.call.now)

    def on_pause(self, pause: Pause) -> None:
        held = self._turn_taking is not None and self._turn_taking._decides.floor.held is not None
        self._pausing(pause.answer, paused=True, turns=held)

    def on_resume(self, resume: Resume) -> None:
        self._look_at_the_end()
        before = next((each for each in reversed(self.pauses) if each.answer == resume.answer.id), None)
        self._pausing(resume.answer, paused=False, turns=before is not None and before.turns)

    def _pausing(self, answer: Answer, *, paused: bool, turns: bool) -> None:
        tool = any(live.working for live in self.call.live_answers())
        self.pauses.append(Pausing(answer.id, self.call.now, paused, turns, tool))

    def on_heard(self, heard: Heard) -> None:
        facts = self._of(heard.answer)
        facts.heard = heard.text
        if heard.final:
            facts.timed = len(heard.words)

    def on_audio_sent(self, sent: AudioSent) -> None:
        self._look_at_the_end()
        answer = sent.answer
        committed, now = answer.state is not AnswerState.SPECULATIVE, self.call.now
        piece = (answer.id, sent.position, sent.audio, now, committed, answer.delivered, answer.buffered)
        self.sent.append(SentAudio(*piece))

    def on_mark_sent(self, mark: MarkSent) -> None:
        self.marks += 1
