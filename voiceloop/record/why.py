"""Why a turn was slow, cut or paused, and why a call ended: in the words of somebody who runs a phone agent. Pure.

Every sentence comes from what the timeline holds, with its numbers. Where that does not say why, the sentence says so.
"""

from __future__ import annotations

from voiceloop.record.why_barks import watchdogs_told
from voiceloop.record.why_cuts import cuts_told
from voiceloop.record.why_end import end_told
from voiceloop.record.why_facts import DetailedTimeline
from voiceloop.record.why_pauses import pauses_told
from voiceloop.record.why_told import Explanation, WhyOptions
from voiceloop.record.why_waits import unanswered_told, waits_told
from voiceloop.report import CallReport

__all__ = ["Explanation", "WhyOptions", "why"]


def why(timeline: DetailedTimeline, report: CallReport | None, options: WhyOptions | None = None) -> list[Explanation]:
    """What there is to explain, in order of time; the end of the call last.

    Args:
        timeline: the call.
        report: its report; None when the recording breaks off before the call ends.
        options: from when on a turn is slow.
    """
    slow = waits_told(timeline, options or WhyOptions())
    told = [*slow, *unanswered_told(timeline), *cuts_told(timeline), *pauses_told(timeline)]
    told += watchdogs_told(timeline, {each.turn for each in slow})
    told.sort(key=lambda each: each.at)
    return [*told, end_told(timeline, report)]
