"""Why a call ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from voiceloop.record.scene import plain
from voiceloop.record.timeline import AnswerLine
from voiceloop.record.why_facts import DetailedTimeline
from voiceloop.record.why_told import Explanation
from voiceloop.record.why_words import Quoting, joined, seconds
from voiceloop.report import CallReport

__all__ = ["end_told"]

_AT_ONCE: Final = 0.25
"""Seconds: between the last sample heard and the end of a call that ends with it."""


def end_told(timeline: DetailedTimeline, report: CallReport | None) -> Explanation:
    """The end of the call, or of its recording."""
    if report is None:
        return Explanation(timeline.end, "end", _breaks_off(timeline))
    say = _ENDS.get(report.reason)
    text = say(timeline, report) if say is not None else _otherwise(timeline, report)
    return Explanation(timeline.end, "end", text)


def _breaks_off(timeline: DetailedTimeline) -> str:
    text = f"The recording breaks off after {seconds(timeline.end)}"
    speaking = _speaking(timeline)
    if speaking is not None:
        text += f", while the agent was saying {_quote(timeline)(speaking.text or speaking.heard)}"
    elif timeline.speech and timeline.speech[-1].end >= timeline.end - _AT_ONCE:
        text += ", while the caller was speaking"
    elif timeline.turns and not timeline.turns[-1].number:
        last = timeline.turns[-1]
        waited = seconds(max(0.0, timeline.end - last.ended))
        text += f", {waited} after the caller had said {_quote(timeline)(last.text)}, before an answer was heard"
    return f"{text}. How the call ended it does not say: its process was stopped, or could write no more."


def _caller_hung_up(timeline: DetailedTimeline, report: CallReport) -> str:
    text = f"The call ended because the caller hung up after {seconds(timeline.end)}"
    speaking = _speaking(timeline)
    if speaking is not None:
        unheard = f"; they did not hear {_quote(timeline)(speaking.unheard)}" if speaking.unheard else ""
        return f"{text}, while the agent was speaking{unheard}."
    last = _last_sound(timeline)
    open_turn = next((turn for turn in timeline.turns[-1:] if last is None or turn.ended > last), None)
    if open_turn is not None:
        return f"{text}, {seconds(max(0.0, timeline.end - open_turn.ended))} after they had last spoken, unanswered."
    if last is None:
        return f"{text}; the agent was never heard."
    return f"{text}, {seconds(timeline.end - last)} after the agent's last sound."


def _caller_silent(timeline: DetailedTimeline, report: CallReport) -> str:
    spoke = timeline.speech[-1].end if timeline.speech else None
    if spoke is None:
        return f"The call ended because the caller was silent for all of its {seconds(timeline.end)}."
    return (
        f"The call ended because the caller was silent for {seconds(timeline.end - spoke)}: "
        f"they last spoke at {spoke:.1f} s."
    )


def _not_understood(timeline: DetailedTimeline, report: CallReport) -> str:
    often = sum(bark.kind == "no_transcript" for bark in timeline.barks)
    counted = f", {often} time{'' if often == 1 else 's'} in all" if often else ""
    return f"The call ended because the caller spoke and nothing was recognised{counted}."


def _disconnected(timeline: DetailedTimeline, report: CallReport) -> str:
    silent = next((bark for bark in timeline.barks if bark.kind == "no_audio"), None)
    if silent is not None:
        return f"The call ended because nothing came from the carrier for {seconds(silent.waited)}."
    told = [plain(fault.message, 300) for fault in report.faults if fault.kind.startswith("twilio.")]
    if told:
        return f"The call ended because the line was given up: {told[-1]}."
    return (
        f"The call ended after {seconds(timeline.end)} because the carrier closed the socket; it had not said that "
        "the caller had hung up."
    )


def _failed(timeline: DetailedTimeline, report: CallReport) -> str:
    kinds = Counter(fault.kind for fault in report.faults)
    if not kinds:
        return "The call was given up; no fault was recorded."
    counted = [f"{plain(kind, 100)} ({number})" for kind, number in kinds.most_common(5)]
    last = report.faults[-1]
    return (
        f"The call was given up after {len(report.faults)} fault{'' if len(report.faults) == 1 else 's'}: "
        f"{joined(counted)}. The last, at {last.at:.1f} s: {plain(last.message, 300)}."
    )


def _too_long(timeline: DetailedTimeline, report: CallReport) -> str:
    return f"The call ended because it had lasted {seconds(timeline.end)}: the longest that it may."


def _otherwise(timeline: DetailedTimeline, report: CallReport) -> str:
    """The bot ended it, or somebody outside."""
    reason = plain(report.reason, 200)
    lasted = f"after {seconds(timeline.end)}"
    tool = next((each for each in reversed(timeline.tools) if each.name in ("hang_up", "transfer")), None)
    if tool is not None:
        said = f"The call ended {lasted} because the model asked for {tool.name} at {tool.at:.1f} s"
        return f"{said} ({reason})."
    act = next((each for each in reversed(timeline.acts) if each.name in ("hang_up", "end", "_transfer")), None)
    if act is not None:
        name = act.name.lstrip("_")
        return f"The call ended {lasted} because somebody outside called call.{name} at {act.at:.1f} s ({reason})."
    return f"The call ended {lasted}: {reason}. Who ended it, the recording does not say."


_ENDS: Final[dict[str, Callable[[DetailedTimeline, CallReport], str]]] = {
    "caller hung up": _caller_hung_up,
    "caller silent": _caller_silent,
    "not understood": _not_understood,
    "disconnected": _disconnected,
    "failed": _failed,
    "max length": _too_long,
}


def _quote(timeline: DetailedTimeline) -> Quoting:
    return Quoting("text" in timeline.redacted)


def _speaking(timeline: DetailedTimeline) -> AnswerLine | None:
    """The answer that was being heard when the call ended."""
    for answer in timeline.answers:
        sounds = answer.sounds
        cut = timeline.cut_by_the_end(answer) or (answer.interrupted is None and answer.unheard)
        if sounds and sounds[-1].end >= timeline.end - _AT_ONCE and cut:
            return answer
    return None


def _last_sound(timeline: DetailedTimeline) -> float | None:
    return max((answer.sounds[-1].end for answer in timeline.answers if answer.sounds), default=None)
