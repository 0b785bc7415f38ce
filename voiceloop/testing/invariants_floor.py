"""Who has the floor: an agent that is paused is let go, and goes on where it was; a guess is kept or thrown away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from voiceloop.testing.bounds import Bounds, Violation
from voiceloop.testing.evidence import Evidence, PlayedPiece, Voice
from voiceloop.testing.excuses import stood_still
from voiceloop.testing.invariants_memory import words_of
from voiceloop.testing.witness import AnswerFacts, Guessed, Pausing, Witness

__all__ = ["INVARIANTS", "vain_pauses"]

_NEVER = float("inf")
_ROUNDING = 1e-6


def who_is_held_is_let_go(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """An answer that turn-taking pauses goes on, is cut or ends, as soon as it is clear what the caller wanted.

    While something is heard that may not be interrupted, what is paused behind it need not be decided.
    """
    name, witness, options = "who is held is let go", evidence.witness, evidence.witness.options
    if options is None:
        return
    way = evidence.round_trip + 2 * evidence.jitter + bounds.slack
    limit = options.certain + options.confirm + way
    ended = min((at for at in (evidence.line_ended, witness.ended) if at is not None), default=_NEVER)
    for index, pausing in enumerate(witness.pauses):
        if not pausing.paused or not pausing.turns:
            continue
        until = min(_let_go(witness, index, pausing), ended)
        since = _protected_until(evidence, pausing, until)
        since += sum(seconds for at, seconds in stood_still(evidence) if since <= at <= since + limit)
        if until - since > limit + _ROUNDING:
            how = f"for {until - since:.3f} s" if until != _NEVER else "for ever"
            message = f"answer {pausing.answer} was paused at {pausing.at:.3f} s and held {how}; at most {limit:.3f} s"
            yield Violation(name, message, pausing.at, until if until != _NEVER else None)


def _let_go(witness: Witness, index: int, pausing: Pausing) -> float:
    """When an answer that was paused was let go on, was cut, or ended."""
    times = [later.at for later in witness.pauses[index + 1 :] if later.answer == pausing.answer and not later.paused]
    answer = witness.answers.get(pausing.answer)
    if answer is not None:
        times += [max(at, pausing.at) for at in answer.stopped]  # when its sound ended, which is known later
        times += [at for at in answer.cut if at >= pausing.at]
        times += [at for at, outcome in answer.ended if at >= pausing.at and outcome != "complete"]
    return min(times, default=_NEVER)


def _protected_until(evidence: Evidence, pausing: Pausing, until: float) -> float:
    """From when on the pause counts: the last sound meanwhile of what may not be interrupted."""
    since = pausing.at
    for number, voice in evidence.voices.items():
        if number in evidence.witness.answers and not evidence.witness.answers[number].interruptible:
            ends = (piece.at + piece.size / 8000 for piece in voice.pieces if pausing.at <= piece.at <= until)
            since = max(since, *ends, since)
    return since


def vain_pauses(witness: Witness, at: float) -> int:
    """How often noises have paused the agent in vain by then, since it last lost the floor or gave it to the caller."""
    since = max((turn.decided for turn in witness.turns if turn.decided <= at), default=-_NEVER)
    cuts = (cut for answer in witness.answers.values() for cut in answer.cut if cut <= at)
    since = max(since, *cuts, since)
    pauses = [each for each in witness.pauses if each.turns and since <= each.at <= at]
    words = [when for segment in witness.transcripts.values() for when, text in segment.versions if text]
    vain = {
        later.at
        for first, later in pairwise(sorted(pauses, key=lambda each: each.at))
        if first.paused and not later.paused and not any(first.at <= word <= later.at for word in words)
    }
    return len(vain)


# --- what goes on -----------------------------------------------------------------------------------------------


def who_was_held_goes_on(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """An answer that was paused goes on with the beginning of a word, and of one that is complete no word is lost.

    The word that was cut is said again, and nothing that was heard before it.
    """
    name, witness = "who was held goes on", evidence.witness
    if evidence.carrier is None:
        return
    for number in dict.fromkeys(pausing.answer for pausing in witness.pauses):
        answer, voice = witness.answers.get(number), evidence.voices.get(number)
        if answer is None or voice is None or not voice.pieces:
            continue
        if not voice.words or not answer.timed:
            if voice.loud:
                evidence.skip(f"how answer {number} went on: its voice does not say when a word is spoken")
            continue
        for before, after in pairwise(voice.pieces):
            if (found := _seam(evidence, bounds, voice, before, after)) is not None:
                yield Violation(name, f"answer {number}, which was paused, {found}", after.at)
        yield from _whole(name, answer, voice)


def _seam(evidence: Evidence, bounds: Bounds, voice: Voice, before: PlayedPiece, after: PlayedPiece) -> str | None:
    """What is wrong between two pieces that were heard one after the other; None when all is well."""
    reached, position = before.position + before.size, after.position
    if position == reached:
        return None
    if position > reached:
        lost = [word.text for word in voice.words if word.start < position and word.end > reached]
        return f"went on behind {' '.join(lost)!r}, which was not heard" if lost else None
    inside = next((word.text for word in voice.words if word.start < position < word.end), None)
    if inside is not None:
        return f"went on within the word {inside!r}"
    again = [word.text for word in voice.words if position <= word.start and word.end <= reached]
    allowed = bounds.behind + (evidence.jitter > 0)
    if len(again) > allowed:
        return f"said {' '.join(again)!r} again; at most {allowed} of what was heard to its end"
    return None


def _whole(name: str, answer: AnswerFacts, voice: Voice) -> Iterator[Violation]:
    if answer.outcome != "complete":
        return
    written = words_of(" ".join(said for said, _ in answer.script) or answer.text)
    spoken = [word for each in voice.words for word in words_of(each.text)]
    lost = [word for each in voice.words if each.heard_at is None for word in words_of(each.text)]
    if set(spoken) <= set(written):  # else other words are spoken than are written
        lost += (Counter(written) - Counter(spoken)).elements()  # not even sent
    if lost:
        message = f"answer {answer.id}, which was paused, is complete, and not heard of it was: {' '.join(lost)}"
        yield Violation(name, message, answer.stopped[0] if answer.stopped else None)


# --- guesses ----------------------------------------------------------------------------------------------------


def a_guess_is_kept_or_thrown_away(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """What was taken for the caller's turn too early becomes that turn, the very same, or no answer to it is given."""
    name, witness = "a guess is kept or thrown away", evidence.witness
    kept = {id(turn) for turn in witness.turns}
    for number, guess in enumerate(witness.guesses):
        if id(guess.turn) in kept:
            continue
        for answer in witness.answers.values():
            if answer.guess == number:
                yield from _wrong(evidence, name, answer, guess)


def _wrong(evidence: Evidence, name: str, answer: AnswerFacts, guess: Guessed) -> Iterator[Violation]:
    """What an answer to a guess that did not come true may not do."""
    which = f"answer {answer.id}, to the guess {guess.turn.text!r} that did not come true,"
    if answer.outcome and not answer.provisional:
        yield Violation(name, f"{which} was given: it ended as {answer.outcome}", guess.at)
    if answer.heard:
        yield Violation(name, f"{which} is remembered: {answer.heard!r}", guess.at)
    if (voice := evidence.voices.get(answer.id)) is not None and voice.pieces:
        yield Violation(name, f"{which} was heard", voice.pieces[0].at)
    report = evidence.report
    if report is not None and any(turn.answer == answer.id for turn in report.turns):
        yield Violation(name, f"{which} stands among the turns", guess.at)
    following = next((turn.decided for turn in evidence.witness.turns if turn.decided > guess.at), _NEVER)
    if any(at > following for at, _ in answer.ended):
        yield Violation(name, f"{which} was still alive when the turn was over", following, answer.ended[0][0])


INVARIANTS = (who_is_held_is_let_go, who_was_held_goes_on, a_guess_is_kept_or_thrown_away)
