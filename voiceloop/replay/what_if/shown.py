"""A what-if for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from voiceloop.replay.what_if.ground import Standing
from voiceloop.replay.what_if.turns import Row, Said

if TYPE_CHECKING:
    from voiceloop.replay.what_if.outcome import WhatIf

__all__ = ["text_of"]

PARTS: Final = ("endpoint", "stt", "llm", "tts", "output", "carrier")
TOLD: Final = 20.0
"""Milliseconds by which a part must differ to be told: the carrier's blocks are as long."""
_WHAT: Final = {
    "merged": "one turn where there were {then}",
    "split": "{now} turns where there was one",
    "divided otherwise": "{now} turns where there were {then}, divided otherwise",
    "new": "a turn that there was not",
    "gone": "no turn any more",
    "not known": "not known: the what-if ends before it",
}
_GROUND: Final = {Standing.RECORDED: "", Standing.NEAR: "~", Standing.STAND_IN: "*", Standing.UNKNOWN: "?"}
_LEGEND: Final = {
    "~": "asked almost the same: the recorded answer",
    "*": "off the recorded ground: something stands in",
    "?": "off the recorded ground: not known",
}


def text_of(outcome: WhatIf) -> str:
    """All of it."""
    changed = ", ".join(map(str, outcome.settings)) or "nothing set otherwise"
    lines = [f"what if: {changed}", ""]
    lines += ["  turn   from end of speech to first sound, recorded → today", ""]
    signs = set()
    for number, row in enumerate(outcome.rows, 1):
        sign = _GROUND[row.standing]
        signs.add(sign)
        lines += _row(f"{number}{sign}", row)
    lines += [f"  {sign}  {_LEGEND[sign]}" for sign in _LEGEND if sign in signs]
    lines += ["", *_totals(outcome), "", *_known(outcome)]
    for departure in outcome.departures:
        lines += ["", *str(departure).splitlines()]
    return "\n".join(lines)


def _row(name: str, row: Row) -> Iterator[str]:
    yield f"  {name:>4}   {_waits(row)}"
    if row.what in _WHAT:
        yield "         " + _WHAT[row.what].format(then=len(row.recorded), now=len(row.today))
    for side, turns in (("recorded", row.recorded), ("today", row.today)):
        if side == "today" and [_told(each) for each in row.recorded] == [_told(each) for each in turns]:
            continue
        for turn in turns:
            yield f"         {side:<8}  {_told(turn)}"


def _waits(row: Row) -> str:
    then, now = ([each.wait for each in side] for side in (row.recorded, row.today))
    totals = " → ".join(" + ".join(_ms(wait) for wait in side) or "-" for side in (then, now))
    if len(then) == len(now) == 1 and then[0] and now[0]:
        pairs = [(part, then[0][part], now[0][part]) for part in PARTS]
        parts = [f"{part} {one:.0f} → {other:.0f}" for part, one, other in pairs if abs(one - other) >= TOLD]
        return f"{totals} ms" + (f"   ({', '.join(parts)})" if parts else "   (as it was)")
    return f"{totals} ms"


def _ms(wait: dict[str, float] | None) -> str:
    return "not answered" if wait is None else f"{wait['total']:.0f}"


def _told(turn: Said) -> str:
    went_on = f" (held to be over {turn.begins - 1}× before)" if turn.begins > 1 else ""
    heard = f"{turn.heard!r}" if turn.heard else "nothing"
    cut = f" [cut: {turn.unheard!r}]" if turn.interrupted and turn.unheard else ""
    return f"caller: {turn.text!r}{went_on}  heard: {heard}{cut}"


def _totals(outcome: WhatIf) -> Iterator[str]:
    then, now = outcome.recorded, outcome.today
    rows = [
        ("turns", str(then.turns), str(now.turns), ""),
        ("answered", str(then.answered), str(now.answered), ""),
        ("median wait, ms", _median(then.wait), _median(now.wait), ""),
        ("interruptions", str(then.interruptions), str(now.interruptions), ""),
        ("caller went on", str(then.cut_in), str(now.cut_in), "held to be over, and was not"),
    ]
    yield f"  {'':<18}{'recorded':>9}{'today':>9}"
    for name, one, other, remark in rows:
        yield f"  {name:<18}{one:>9}{other:>9}" + (f"   {remark}" if remark else "")
    if outcome.split:
        yield f"  turns that would have been split because the caller went on: {outcome.split}"
    if outcome.merged:
        yield f"  turns that would have been one of several: {outcome.merged}"
    if outcome.spoken_into:
        yield f"  answers that would have begun while the caller was still speaking: {outcome.spoken_into}"
    if outcome.by_clock:
        yield f"  interruptions only because the recorded caller speaks when they did: {outcome.by_clock}"
        yield "    (they had let the agent finish, which is later today; they would have waited)"
    for fault in outcome.faults:
        yield f"  a failure that there was not: {fault}"


def _median(wait: float | None) -> str:
    return "-" if wait is None else f"{wait:.0f}"


def _known(outcome: WhatIf) -> Iterator[str]:
    far = "the recorded ground was left:" if outcome.departures else "all of it is on recorded ground"
    if outcome.whole:
        known = f"{outcome.length:.1f} s; {far}"
    else:
        known = f"known up to {outcome.known:.1f} s of {outcome.length:.1f} s; {far}"
    how = "as the marks say" if outcome.measured else "assumed: no mark tells"
    yield f"the line takes {outcome.round_trip * 1000:.0f} ms there and back ({how}), half of it each way (assumed)"
    yield known
