"""The agent's voice on the line: it stops when the caller speaks, and it does not break off by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from voiceloop.output.events import PlayoutOptions
from voiceloop.sim.caller import Utterance
from voiceloop.sim.playback import QUIET
from voiceloop.testing.bounds import Bounds, Violation
from voiceloop.testing.evidence import Evidence, PlayedPiece
from voiceloop.testing.excuses import stood_still
from voiceloop.testing.invariants_floor import vain_pauses
from voiceloop.testing.witness import Witness
from voiceloop.turns.events import TurnOptions
from voiceloop.turns.interruptions import WORN_OUT

__all__ = ["INVARIANTS"]

_QUIET_RUN = 0.2
"""Seconds of silence between words of one breath, at most."""
_BEFORE = 1600
"""Samples of silence by which voice activity knows speech from what was before it: 0.2 s."""
_QUIET = re.compile(b"[" + re.escape(QUIET) + b"]+")
_STEP = 80
"""Samples that are looked at together for where a breath begins and ends: 10 ms."""
_LOUD = frozenset(code for code in range(256) if code & 0x7F < 0x50)
"""Mu-law codes of more than about -25 dBFS: speech, and no room noise."""
_LOUD_SHARE = 0.1
_BLOCK = 0.02
"""Seconds of voice that the carrier plays at once: of the one that plays at the limit, the rest."""
_NEAR = 1.0
"""Seconds around a hole in which a failure that was told explains it."""


def the_agent_stops_for_the_caller(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """Of an answer that may be interrupted nothing is heard any more soon after the caller began to speak.

    The last words of a call that ends by itself are said to their end. Who has made noises must speak for longer. While
    a tool works only words interrupt: there the agent may go on into what is none.
    """
    name, witness = "the agent stops for the caller", evidence.witness
    if evidence.carrier is None or witness.options is None:
        return
    longer = max(0.0, witness.options.barge_in - TurnOptions().barge_in)
    limit = bounds.barge_in + longer + evidence.round_trip + 2 * evidence.jitter + bounds.slack
    ending = float("inf") if witness.ending is None else witness.ending
    open_to_it = [
        voice
        for number, voice in evidence.voices.items()
        if voice.pieces and (facts := witness.answers.get(number)) is not None and facts.interruptible
    ]
    for utterance in evidence.utterances:
        for start, end in breaths(utterance):
            if start + limit >= ending:
                return
            if _sounded_before(evidence, start):
                continue  # nobody can say when that began: the one before it is looked at, if it was speech
            stretched = limit + witness.options.barge_in * (min(WORN_OUT, 2.0 ** vain_pauses(witness, start)) - 1)
            for voice in open_to_it:
                spoken_over = max(start, voice.pieces[0].at)  # it may have stood behind one that is not interrupted
                until = min(end, ending, _went_on(witness, voice.answer, start))
                at = voice.sound_within(spoken_over + stretched + _BLOCK, until)
                if at is not None:
                    message = (
                        f"the caller spoke from {start:.3f} s to {end:.3f} s, and answer {voice.answer} "
                        f"was still heard {at - start:.3f} s after that began; "
                        f"expected silence from {stretched:.3f} s on"
                    )
                    yield Violation(name, message, start, at)


def _went_on(witness: Witness, answer: int, start: float) -> float:
    """When an answer was let go on into a noise, for a tool works for it and nothing was recognised for so long."""
    assert witness.options is not None
    least = start + witness.options.certain + witness.options.confirm
    times = (each.at for each in witness.pauses if each.answer == answer and each.tool and not each.paused)
    return min((at for at in times if at >= least), default=float("inf"))


def _sounded_before(evidence: Evidence, start: float) -> bool:
    """Whether something else was on the line right before: another breath, a hum, a cough."""
    assert evidence.carrier is not None
    sample = evidence.carrier.truth.sample_at(start)
    return _QUIET.sub(b"", evidence.carrier.said[max(0, sample - _BEFORE) : max(0, sample - _STEP)]) != b""


def breaths(utterance: Utterance) -> list[tuple[float, float]]:
    """Where the caller speaks without a pause: start and end, seconds on the loop's clock."""
    found: list[tuple[float, float]] = []
    for place in range(0, len(utterance.audio), _STEP):
        step = utterance.audio[place : place + _STEP]
        if sum(map(_LOUD.__contains__, step)) <= _LOUD_SHARE * len(step):
            continue
        start = utterance.started + place / 8000
        if start >= utterance.ended:
            break
        end = min(utterance.ended, start + len(step) / 8000)
        if found and start - found[-1][1] < _QUIET_RUN:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def no_hole_in_an_answer(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """The agent never falls silent in the middle of an answer while there is voice that could be sent."""
    name, carrier = "no hole in an answer", evidence.carrier
    if carrier is None:
        return
    for start, length in carrier.truth.holes(min_ms=bounds.hole * 1000 + bounds.slack * 1000):
        if _told(evidence, start, start + length):
            continue
        before, after = evidence.piece_before(start), evidence.piece_after(start + length)
        if before is None or after is None:
            which = "an answer"
        elif not _was_made(evidence, before, bounds):
            continue
        else:
            which = f"answer {evidence.witness.sent[before.sent].answer}"
        message = f"{which} fell silent for {length:.3f} s; expected at most {bounds.hole:.3f} s"
        if after is not None:
            message += f". What follows was sent at {evidence.witness.sent[after.sent].at:.3f} s"
        yield Violation(name, message, start, start + length)


def _was_made(evidence: Evidence, before: PlayedPiece, bounds: Bounds) -> bool:
    """Whether there was more, when the last of it before the hole was sent: else who writes it, or who speaks it, was
    slower than speech. Less than a chunk waits for more (`PlayoutOptions.gather`)."""
    sent = evidence.witness.sent[before.sent]
    on_its_way = bounds.lead + evidence.round_trip / 2 + evidence.jitter
    return sent.all_made or sent.waiting > on_its_way + PlayoutOptions().chunk


def _told(evidence: Evidence, start: float, end: float) -> bool:
    """Whether the call knew of a failure at that time."""
    faults = [at for at, _ in evidence.witness.faults]
    if evidence.report is not None:
        faults += [fault.at + evidence.witness.zero for fault in evidence.report.faults]
    return any(start - _NEAR <= at <= end + _NEAR for at in faults)


def no_more_is_sent_ahead_than_stated(evidence: Evidence, bounds: Bounds) -> Iterator[Violation]:
    """The carrier never holds more of the agent's voice than the lead: a ``clear`` must not have more to take back."""
    name, carrier = "no more is sent ahead than stated", evidence.carrier
    if carrier is None:
        return
    least = bounds.lead + evidence.round_trip + 2 * evidence.jitter + bounds.slack + 0.02
    stalls = stood_still(evidence)
    taken = received = 0
    for entry in carrier.truth.log:
        if entry.kind == "media":
            received += int(entry.detail)
            held = (received - taken - carrier.truth.played_bytes_at(entry.at)) / 8000
            limit = least + sum(seconds for at, seconds in stalls if at < entry.at)  # so much later it arrived
            if held > limit:
                yield Violation(
                    name, f"the carrier holds {held:.2f} s of voice; expected at most {limit:.2f} s", entry.at
                )
                return
        elif entry.kind in ("clear", "discarded"):
            taken += int(entry.detail)


INVARIANTS = (the_agent_stops_for_the_caller, no_hole_in_an_answer, no_more_is_sent_ahead_than_stated)
