"""The caller's side of it: they are understood, they are answered in time, and the wait is measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple

from voiceloop.keypad import without_keys
from voiceloop.llm.aggregator import LLMOptions
from voiceloop.report import Turn
from voiceloop.testing.bounds import Bounds, Violation
from voiceloop.testing.evidence import Evidence
from voiceloop.testing.excuses import name_of
from voiceloop.testing.invariants_audio import breaths
from voiceloop.testing.invariants_memory import words_of
from voiceloop.testing.witness import RecognisedSegment, Witness
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.own_words import LASTS

__all__ = ["INVARIANTS"]

_SAME_END = 0.15
"""Seconds between the end of speech on the line and the one that voice activity found, at most."""


def every_word_recognised_is_recorded(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """What the recogniser understood stands in the conversation or in a turn, and not more often than it was said.

    A recogniser may think better of it: what counts is what it said last before the answer to it was heard. The
    agent's own words that come back down the line are nobody's.
    """
    name, report, witness = "every word recognised is recorded", evidence.report, evidence.witness
    if report is None or witness.options is None:
        return
    seeded = {id(message) for message in witness.seeded}
    said = [each.text for each in report.conversation if each.role == "user" and id(each) not in seeded]
    kept = Counter(word for text in said for word in words_of(without_keys(text)))
    turns = report.turns[witness.turns_before :]
    turned = Counter(word for turn in turns for word in words_of(without_keys(turn.caller)))
    segments = list(witness.transcripts.values())
    due = Counter(word for segment in segments for word in _of_the_caller(segment, evidence))
    if missing := due - (kept | turned):
        at = max(segment.at for segment in segments if set(words_of(segment.text)) & set(missing))
        words = " ".join(missing.elements())
        yield Violation(name, f"recognised, and neither in the conversation nor in a turn: {words}", at)
    before = [each.text for each in witness.seeded if each.role == "user"]  # what was not answered then is now
    most = Counter(word for text in before for word in words_of(without_keys(text)))
    for segment in segments:
        versions: Counter[str] = Counter()
        for _, version in segment.versions:
            versions |= Counter(words_of(version))
        most += versions
    for what, found in (("conversation", kept), ("turns", turned)):
        if extra := found - most:
            words = " ".join(extra.elements())
            yield Violation(name, f"in the {what} of the caller, and not recognised so often: {words}")


def _in_time(segment: RecognisedSegment, witness: Witness) -> str:
    """What a segment was when the answer to it began to be heard; empty for one that was not there by then."""
    first = segment.versions[0][0]
    number = next((number for number, turn in enumerate(witness.turns) if turn.decided >= first), None)
    answered = [answer.started[0] for answer in witness.answers.values() if answer.started and answer.turn == number]
    until = min(answered, default=float("inf")) if number is not None else float("inf")
    return [text for at, text in segment.versions if at == first or at <= until][-1]


def _of_the_caller(segment: RecognisedSegment, evidence: Evidence) -> list[str]:
    """The words of a segment that must be kept."""
    words = words_of(_in_time(segment, evidence.witness))
    return [word for word in words if word not in own] if (own := _came_back(segment, evidence)) else words


def _came_back(segment: RecognisedSegment, evidence: Evidence) -> set[str]:
    """Words of the agent's that may have been recognised as the caller's: heard a moment before, on a line that brings
    them back or while the caller said nothing."""
    first, last = segment.versions[0][0], segment.versions[-1][0]
    echoing = any(name_of(fault) == "line echo" and at <= last for at, fault in evidence.faults)
    spoke = any(each.started - LASTS <= last and each.ended >= first - LASTS for each in evidence.utterances)
    if spoke and not echoing:
        return set()
    return {
        word
        for number, voice in evidence.voices.items()
        if number in evidence.witness.answers
        and any(piece.at <= last and piece.at + piece.size / 8000 >= first - LASTS for piece in voice.pieces)
        for word in words_of(evidence.witness.answers[number].text)
    }


def nobody_waits_in_silence(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """When neither side was heard for so long, the agent speaks or the call ends."""
    name, carrier, options = "nobody waits in silence", evidence.carrier, evidence.witness.options
    if carrier is None or options is None or evidence.witness.began is None:
        return
    extra = evidence.round_trip + 2 * evidence.jitter + bounds.slack
    limit = max(bounds.dead_air, _longest_wait(options, evidence.witness.model)) + extra
    until = evidence.line_ended if evidence.line_ended is not None else carrier.truth.time_of(len(carrier.heard))
    playback, truth = carrier.playback, carrier.truth
    active = [(truth.time_of(first), truth.time_of(first + length)) for first, length, _ in playback.runs]
    active += [breath for utterance in evidence.utterances for breath in breaths(utterance)]
    active += [(entry.at, entry.at) for entry in truth.log if entry.kind == "dtmf"]
    quiet_since = max(truth.started, evidence.witness.began)
    heard_first = truth.time_of(playback.runs[0][0]) if playback.runs else float("inf")
    for start, end in [*sorted(active), (until, until)]:
        most = max(limit, bounds.mute + extra) if heard_first > quiet_since else limit
        if start - quiet_since > most:
            message = f"nobody was heard for {start - quiet_since:.2f} s; expected at most {most:.2f} s"
            yield Violation(name, message, quiet_since, start)
        quiet_since = max(quiet_since, end)


def _longest_wait(options: TurnOptions, model: LLMOptions | None) -> float:
    """What turn-taking itself waits at most: for an answer, for the caller, or for a tool; and a word is said then."""
    answer = max(options.settle_limit, options.unfinished, options.unsure, options.silence) + options.model_limit
    tool = max(model.slow, model.slow_again) if model is not None else 0.0
    return 1.0 + max(answer, options.reprompt_after, tool)


def latency_parts_sum(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """The parts of a turn's latency are not negative, add up to the whole, and the whole is what the caller waited."""
    if evidence.report is None:
        return
    for turn in evidence.report.turns:
        if turn.latency is None:
            continue
        yield from _parts(evidence, bounds, turn)
        yield from _truth(evidence, bounds, turn)


def _parts(evidence: Evidence, bounds: Bounds, turn: Turn) -> Iterator[Violation]:
    name, latency = "latency parts sum", turn.latency
    assert latency is not None
    parts = astuple(latency)
    if min(parts) < 0:
        yield Violation(name, f"expected no part of turn {turn.number}'s latency below 0, got {latency}")
    if abs(sum(parts) - latency.total) > bounds.latency_parts:
        message = (
            f"the parts of turn {turn.number}'s latency are {sum(parts):.6f} s, the whole is {latency.total:.6f} s"
        )
        yield Violation(name, message)
    answer = evidence.witness.answers.get(turn.answer)
    if answer is None or answer.turn is None or "played" not in answer.milestones:
        return
    waited = max(0.0, answer.milestones["played"] - evidence.witness.turns[answer.turn].ended)
    if abs(waited - latency.total) > bounds.latency_parts:
        message = f"turn {turn.number}'s latency is {latency.total:.6f} s, from speech to sound it was {waited:.6f} s"
        yield Violation(name, message, answer.milestones["played"])


def _truth(evidence: Evidence, bounds: Bounds, turn: Turn) -> Iterator[Violation]:
    """Against what was on the line, where it is known for certain when the caller stopped."""
    answer = evidence.witness.answers.get(turn.answer)
    voice = evidence.voices.get(turn.answer)
    if evidence.carrier is None or answer is None or answer.turn is None or voice is None or not voice.pieces:
        return
    assert turn.latency is not None
    first, told = voice.pieces[0].at, answer.milestones.get("played", 0.0)
    if any(each.answer == turn.answer and each.paused and told <= each.at <= first for each in evidence.witness.pauses):
        return  # it was paused as its first sound was to come: it began, and was taken back unheard
    ended = evidence.witness.turns[answer.turn].ended - evidence.carrier.options.delay_to_server
    near = [u.speech_ended for u in evidence.utterances if not u.cut and abs(u.speech_ended - ended) <= _SAME_END]
    if not near:
        return
    said = min(near, key=lambda each: abs(each - ended))
    waited = first - said
    limit = bounds.latency + abs(said - ended) + 2 * evidence.jitter + bounds.slack
    if abs(waited - turn.latency.total) > limit:
        message = (
            f"turn {turn.number}'s latency is {turn.latency.total:.3f} s, the caller waited {waited:.3f} s; "
            f"expected a difference of {limit:.3f} s at most"
        )
        yield Violation("latency parts sum", message, first)


INVARIANTS = (every_word_recognised_is_recorded, nobody_waits_in_silence, latency_parts_sum)
