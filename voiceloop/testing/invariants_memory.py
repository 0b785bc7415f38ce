"""Memory: the agent is remembered to have said what the caller heard, no more and no less, within the stated bound.

What was heard is read from the line: which samples of each answer's voice were played, and which artificial words
they are. A word counts once all of it was played. So words that are said again and again are told apart by their
place, and a word that was cut is no word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from voiceloop.conversation import Message
from voiceloop.testing.bounds import Bounds, Violation
from voiceloop.testing.evidence import Evidence, Voice
from voiceloop.testing.excuses import name_of, stood_still
from voiceloop.testing.witness import AnswerFacts, SentAudio

__all__ = ["INVARIANTS", "words_of"]

_MARGIN = 0.02
"""A block of the carrier's: what ends in it may be news of the next one, seconds."""


def words_of(text: str) -> list[str]:
    """The words of a text, without punctuation and capitals."""
    return re.findall(r"[^\W_]+", text.casefold().replace("'", "").replace("’", ""))


def memory_is_what_was_heard(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """Of each answer, what is remembered is what the caller heard of it."""
    if evidence.carrier is None:
        return
    answers = evidence.witness.answers.values()
    untimed = any(map(_untimed, answers)) or not any(answer.timed for answer in answers)
    for number, voice in evidence.voices.items():
        answer = evidence.witness.answers.get(number)
        if answer is None or not _readable(evidence, answer, voice, untimed):
            continue
        found = _compared(evidence, bounds, answer, voice)
        if found is not None:
            yield found


def _untimed(answer: AnswerFacts) -> bool:
    """Whether its voice does not say when a word is spoken."""
    return answer.timed == 0 and bool(answer.heard)


def _readable(evidence: Evidence, answer: AnswerFacts, voice: Voice, untimed: bool) -> bool:
    which = f"answer {answer.id}"
    if answer.timed is None or not answer.text.strip():
        return False  # no words: a sound; or it has not been settled, for the call has not ended
    if not voice.words:
        if voice.loud:
            evidence.skip(f"what was heard of {which}: its voice is no artificial one")
        return False
    early = any(name_of(fault) == "tts ended" for _, fault in evidence.faults)  # and nobody could tell
    if untimed and (answer.outcome != "complete" or early) and not answer.timed:
        evidence.skip(f"what was heard of {which}: its voice does not say when a word is spoken, memory is an estimate")
        return False
    return True


def _compared(evidence: Evidence, bounds: Bounds, answer: AnswerFacts, voice: Voice) -> Violation | None:
    name, which = "memory is what was heard", f"answer {answer.id}"
    units = _units(answer)
    written = [word for words, _ in units for word in words]
    spoken = [(word, spelled) for word in voice.words for spelled in words_of(word.text)]
    place = 0
    times: list[float | None] = [None] * len(written)
    for word, spelled in spoken:
        try:
            place = written.index(spelled, place)
        except ValueError:
            evidence.skip(f"what was heard of {which}: other words are spoken than are written ({word.text!r})")
            return None
        times[place] = word.heard_at
        place += 1
    whole = answer.text.lstrip()
    if not whole.startswith(answer.heard):
        return Violation(name, f"of {which} {answer.heard!r} is remembered, which is not how {whole!r} begins")
    reached = len(answer.text) - len(whole) + len(answer.heard) if answer.heard else 0
    remembered = sum(len(words) for words, end in units if end <= reached)
    heard = _heard_units(units, times)
    ended = max((at for at in times[:heard] if at is not None), default=None)
    if remembered - heard > bounds.ahead:
        message = (
            f"of {which} {' '.join(written[:remembered])!r} is remembered, and the caller heard "
            f"{' '.join(written[:heard])!r}: {remembered - heard} more than was heard, at most {bounds.ahead}"
        )
        at = ended if ended is not None else answer.began[0]
        return Violation(name, message, at, max(at, _sent(evidence, voice)))
    known = _could_be_known(evidence, units, times, remembered)
    allowed = 0 if answer.outcome == "complete" else bounds.behind + (evidence.jitter > 0)
    behind = sum(1 for words, end in units if words and reached < end and _before(units, end) < known)
    if behind > allowed:
        message = (
            f"of {which} {' '.join(written[:remembered])!r} is remembered, and the caller heard "
            f"{' '.join(written[:known])!r}: {behind} more than is remembered, at most {allowed}"
        )
        return Violation(name, message, ended)
    return None


def _sent(evidence: Evidence, voice: Voice) -> float:
    """When the first word of a voice that was not heard went out, seconds."""
    missed = next((word.end for word in voice.words if word.heard_at is None), len(voice.audio))
    return next((sent.at for sent in evidence.witness.sent if _reaches(sent, voice.answer, missed)), 0.0)


def _reaches(sent: SentAudio, answer: int, position: int) -> bool:
    return sent.answer == answer and sent.position + len(sent.audio) >= position


Units = Sequence[tuple[list[str], int]]
"""What is remembered together: its spoken words, and where in the written text it ends."""


def _units(answer: AnswerFacts) -> Units:
    if answer.script:
        units: list[tuple[list[str], int]] = []
        for said, end in answer.script:
            words, end = words_of(said), len(answer.text[:end].rstrip())
            if words or not units:
                units.append((words, end))
            else:  # what makes no sound belongs to what came before
                units[-1] = (units[-1][0], end)
        return units
    return [(words_of(token.group()), token.end()) for token in re.finditer(r"\S+", answer.text)]


def _before(units: Units, end: int) -> int:
    """How many words are spoken before the unit that ends there."""
    return sum(len(words) for words, each in units if each < end)


def _heard_units(units: Units, times: Sequence[float | None]) -> int:
    """How many words were heard, up to the last unit that was heard whole, from the first."""
    heard = 0
    for words, _ in units:
        if any(at is None for at in times[heard : heard + len(words)]):
            break
        heard += len(words)
    return heard


def _could_be_known(evidence: Evidence, units: Units, times: Sequence[float | None], remembered: int) -> int:
    """As `_heard_units`, but for what was heard so late that no mark could tell before the call was over."""
    assert evidence.carrier is not None
    ends = [at for at in (evidence.line_ended, evidence.witness.ended) if at is not None]
    latest = min(ends, default=float("inf"))
    for at, seconds in stood_still(evidence):
        if at < latest <= at + seconds + _MARGIN:  # what came meanwhile was not read any more
            latest = at
    latest -= evidence.carrier.options.delay_to_server + evidence.jitter + _MARGIN
    return max(remembered, _heard_units(units, [at if at is not None and at < latest else None for at in times]))


def the_conversation_agrees(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """Conversation and turns hold of each answer what was told to be heard of it, in order, and nothing else."""
    name, report, witness = "the conversation agrees", evidence.report, evidence.witness
    if report is None or not witness.sent:
        return  # a pipeline without a voice: what is written is heard
    seeded = {id(message) for message in witness.seeded}
    kept = [word for message in report.conversation if _said(message, seeded) for word in words_of(message.text)]
    told = [words_of(answer.heard) for answer in witness.answers.values() if answer.heard]
    counted = Counter(word for words in told for word in words)
    missing, extra = counted - Counter(kept), Counter(kept) - counted
    if missing:
        yield Violation(name, f"heard, and not in the conversation: {' '.join(missing.elements())}")
    if extra:
        yield Violation(name, f"in the conversation of the agent, and not heard: {' '.join(extra.elements())}")
    if not missing and not extra:
        for words in told:
            if not _in_order(words, kept):
                yield Violation(
                    name, f"expected {' '.join(words)!r} in this order, the conversation has them in another"
                )
    yield from _turns(evidence)


def _said(message: Message, seeded: set[int]) -> bool:
    return message.role == "assistant" and id(message) not in seeded


def _in_order(part: Sequence[str], whole: Sequence[str]) -> bool:
    rest = iter(whole)
    return all(word in rest for word in part)


def _turns(evidence: Evidence) -> Iterator[Violation]:
    name, report = "the conversation agrees", evidence.report
    assert report is not None
    answered: set[int] = set()
    for place, turn in enumerate(report.turns, start=1):
        if turn.number != place:
            yield Violation(name, f"expected turn {place}, its number is {turn.number}")
        answer = evidence.witness.answers.get(turn.answer)
        if answer is None:
            continue
        if turn.answer in answered:
            yield Violation(name, f"answer {turn.answer} stands in more than one turn")
        answered.add(turn.answer)
        if answer.timed is not None and words_of(turn.heard) != words_of(answer.heard):
            message = f"turn {place} says {turn.heard!r} was heard, the streamer said {answer.heard!r}"
            yield Violation(name, message)
        both, written = words_of(f"{turn.heard} {turn.unheard}"), words_of(answer.text)
        if both != written:
            yield Violation(name, f"turn {place} has {' '.join(both)!r}, written was {' '.join(written)!r}")


INVARIANTS = (memory_is_what_was_heard, the_conversation_agrees)
