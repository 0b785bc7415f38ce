"""The picture of a call as one HTML file: both voices on a time axis, words where they were heard, and every wait.

The file needs nothing beside it and asks nothing of a network: script, style and sound are inside, and its content
security policy forbids the rest. Whatever the call brought along (words of callers, messages of faults) is text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from voiceloop.audio import mulaw
from voiceloop.record import adpcm
from voiceloop.record.held import held_of
from voiceloop.record.scene import (
    PARTS,
    Line,
    Wait,
    conversation,
    cuts,
    faults,
    outline,
    pauses,
    plain,
    title_of,
    waits,
    when,
)
from voiceloop.record.timeline import RATE, Timeline, TimelineEvent

__all__ = ["SOUND_LIMIT", "picture_html", "save_picture"]

SOUND_LIMIT: Final = 3600.0
"""Seconds of sound a picture holds at most (19 MB); the rest of a longer call is drawn and cannot be played."""
FAULTS_SHOWN: Final = 100
"""Faults listed; all of them are on the axis."""
SCRIPTS: Final = ("format.js", "sound.js", "scene.js", "axis.js", "labels.js", "player.js", "main.js")
WIRE: Final = ("mark", "echo", "transcript")
"""Events that only somebody who looks into the line wants to see."""


def save_picture(
    timeline: Timeline, path: str | os.PathLike[str], *, title: str | None = None, audio: bool = True
) -> None:
    """Write `picture_html` to a file. It blocks on the disk: off the event loop, please.

    Raises:
        OSError: the file cannot be written.
    """
    Path(path).write_text(picture_html(timeline, title=title, audio=audio), encoding="utf-8")


def picture_html(timeline: Timeline, *, title: str | None = None, audio: bool = True) -> str:
    """One HTML page that shows a call and plays it.

    Args:
        timeline: the call, as `TimelineRecorder.timeline` gives it.
        title: the heading; by default it names the caller's number.
        audio: False leaves the sound out, for a picture that many may see. The words stay in it.
    """
    heading = plain(title, 200) if title is not None else title_of(timeline)
    sound = _sound(timeline) if audio else None
    lines, waited, wrong = conversation(timeline), waits(timeline), faults(timeline)
    script, style = _assets()
    return _filled(
        _file("picture.html"),
        {
            "title": escape(heading),
            "policy": f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
            "img-src data:; base-uri 'none'; form-action 'none'",
            "style": style,
            "script": script,
            "facts": _facts(timeline, waited, wrong),
            "faults": _fault_list(wrong),
            "lines": "\n".join(map(_line, lines)) or '<li class="none">Nothing was said.</li>',
            "table": _table(timeline, waited),
            "call": _embedded(_values(timeline, waited, sound)),
            "sound": base64.b64encode(sound.data).decode() if sound is not None else "",
        },
    )


# --- the parts of the page ----------------------------------------------------------------------------------


def _facts(timeline: Timeline, waited: Sequence[Wait], wrong: Sequence[TimelineEvent]) -> str:
    totals = sorted((wait.end - wait.start) * 1000 for wait in waited)
    interruptions = sum(cut.interrupted for cut in cuts(timeline))
    facts = {
        "When": when(timeline),
        "Number called": plain(timeline.number, 100),
        "Lasted": f"{timeline.duration:.1f} s",
        "Ended": plain(timeline.reason, 500),
        "Turns": str(len(timeline.turns)),
        "Median wait": f"{np.median(totals):.0f} ms" if totals else "",
        "Longest wait": f"{totals[-1]:.0f} ms" if len(totals) > 1 else "",
        "Interruptions": str(interruptions) if interruptions else "",
        "Faults": str(len(wrong)) if wrong else "",
        "Call": plain(timeline.call_id, 100),
    }
    return "\n".join(f"<div><dt>{name}</dt><dd>{escape(fact)}</dd></div>" for name, fact in facts.items() if fact)


def _fault_list(wrong: Sequence[TimelineEvent]) -> str:
    if not wrong:
        return ""
    items = [
        f"<li>{_time_button(fault.at)} <p>{escape(plain(fault.text, 600))}</p></li>" for fault in wrong[:FAULTS_SHOWN]
    ]
    if len(wrong) > FAULTS_SHOWN:
        items.append(f"<li>and {len(wrong) - FAULTS_SHOWN} more, on the axis below</li>")
    count = "One fault" if len(wrong) == 1 else f"{len(wrong)} faults"
    return f'<section class="faults" aria-label="Faults"><h2>{count}</h2><ul>{"".join(items)}</ul></section>'


def _line(line: Line) -> str:
    name = "Caller" if line.who == "caller" else "Agent"
    number = f" <small>turn {line.turn}</small>" if line.turn else ""
    said = escape(line.text)
    if line.interrupted:
        said += ' <em class="cut">interrupted</em>'
    if line.unheard:
        said += f" <del>{escape(line.unheard)}</del>"
    if line.note:
        said += f" <em>{escape(line.note)}</em>"
    return (
        f'<li class="{line.who}" data-at="{line.at:.3f}">{_time_button(line.at)} <b>{name}{number}</b> '
        f'<p dir="auto">{said}</p></li>'
    )


def _time_button(at: float) -> str:
    minutes, seconds = divmod(at, 60)
    label = f"{int(minutes)}:{seconds:04.1f}"
    return f'<button type="button" class="at" data-at="{at:.3f}" aria-label="Go to {label}">{label}</button>'


def _table(timeline: Timeline, waited: Sequence[Wait]) -> str:
    if not timeline.turns:
        return '<p class="none">The caller took no turn.</p>'
    by_turn = {id(wait.turn): wait for wait in waited}
    longest = max((wait.end - wait.start for wait in waited), default=0.0) or 1.0
    heads = "".join(f'<th scope="col"><i class="key {name}"></i>{name}</th>' for name in PARTS)
    rows = []
    for turn in timeline.turns:
        wait = by_turn.get(id(turn))
        cells = '<td class="no" colspan="8">no answer was heard</td>'
        if wait is not None and turn.latency_ms is not None:
            numbers = "".join(f"<td>{turn.latency_ms.get(name, 0.0):.0f}</td>" for name in PARTS)
            cells = f"<td><b>{(wait.end - wait.start) * 1000:.0f}</b></td>{numbers}<td>{_bar(wait, longest)}</td>"
        said = escape(plain(turn.text, 300))
        rows.append(
            f'<tr data-at="{turn.started:.3f}"><th scope="row">{turn.number or "–"}</th>'
            f'<td>{_time_button(turn.ended)}</td>{cells}<td class="said" dir="auto">{said}</td></tr>'
        )
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="Waits by turn"><table><caption>From the end of the '
        "caller’s speech to the agent’s first sound, in milliseconds, and what the time went to</caption>"
        f'<thead><tr><th scope="col">turn</th><th scope="col">at</th><th scope="col">total</th>{heads}'
        '<th scope="col"><span class="unseen">bar</span></th><th scope="col">caller said</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _bar(wait: Wait, longest: float) -> str:
    scale = 160 / longest
    parts = "".join(
        f'<rect class="{name}" x="{(start - wait.start) * scale:.2f}" width="{(end - start) * scale:.2f}" height="14"/>'
        for name, start, end, _ in wait.parts
    )
    return f'<svg class="bar" viewBox="0 0 160 14" width="160" height="14" aria-hidden="true">{parts}</svg>'


# --- what the script draws ----------------------------------------------------------------------------------


def _values(timeline: Timeline, waited: Sequence[Wait], sound: adpcm.Adpcm | None) -> dict[str, Any]:
    by_turn = {id(wait.turn): wait for wait in waited}
    return {
        "duration": _round(timeline.duration),
        "speech": [[_round(span.start), _round(span.end)] for span in timeline.speech],
        "turns": [
            {
                "number": turn.number,
                "text": plain(turn.text),
                "start": _round(turn.started),
                "end": _round(turn.ended),
                "wait": _wait(by_turn.get(id(turn))),
            }
            for turn in timeline.turns
        ],
        "answers": [
            {
                "id": answer.id,
                "text": plain(answer.heard),
                "sounds": [[_round(span.start), _round(span.end)] for span in answer.sounds],
            }
            for answer in timeline.answers
            if answer.sounds
        ],
        "words": [
            [plain(word.text, 200), _round(word.start), _round(word.end), word.answer, int(word.exact)]
            for word in sorted(timeline.words, key=lambda word: word.start)
        ],
        "cuts": [
            {"at": _round(cut.at), "text": plain(cut.text, 500), "interrupted": cut.interrupted}
            for cut in cuts(timeline)
        ],
        "pauses": [[_round(span.start), _round(span.end)] for span in pauses(timeline)],
        "moments": _moments(timeline, lambda kind: kind not in WIRE),
        "wire": _moments(timeline, lambda kind: kind in WIRE),
        "outline": {
            "caller": base64.b64encode(outline(timeline.caller_audio, timeline.duration).tobytes()).decode(),
            "agent": base64.b64encode(outline(timeline.agent_audio, timeline.duration).tobytes()).decode(),
        },
        "sound": None
        if sound is None
        else {"rate": RATE, "samples": sound.samples, "block": adpcm.BLOCK, "runs": sound.runs},
    }


def _wait(wait: Wait | None) -> dict[str, Any] | None:
    if wait is None:
        return None
    parts = [[name, _round(start), _round(end), ms] for name, start, end, ms in wait.parts]
    return {"start": _round(wait.start), "end": _round(wait.end), "parts": parts}


def _moments(timeline: Timeline, wanted: Callable[[str], bool]) -> list[list[Any]]:
    """Events as time, kind and text; of those that say the same again (a transcript that is settled) the first."""
    found: list[list[Any]] = []
    held = {each.start: str(each) for each in held_of(timeline)}
    for event in timeline.events:
        text = held.get(event.at, "") if event.kind == "pause" else event.text
        moment = [_round(event.at), event.kind, plain(text, 600)]
        if wanted(event.kind) and not (found and event.kind == "transcript" and found[-1][1:] == moment[1:]):
            found.append(moment)
    return found


def _round(seconds: float) -> float:
    return round(seconds, 4)


def _sound(timeline: Timeline) -> adpcm.Adpcm:
    """Both voices in one."""
    length = min(
        round(min(timeline.duration, SOUND_LIMIT) * RATE), max(len(timeline.caller_audio), len(timeline.agent_audio))
    )
    both = np.zeros(length, dtype=np.int32)
    for audio in (timeline.caller_audio, timeline.agent_audio):
        samples = mulaw.decode(audio[:length])
        both[: len(samples)] += samples
    return adpcm.encode(np.clip(both, -32768, 32767).astype(np.int16))


# --- one file -----------------------------------------------------------------------------------------------


def _file(name: str) -> str:
    return files("voiceloop.record").joinpath("page", name).read_text(encoding="utf-8")


@cache
def _assets() -> tuple[str, str]:
    """Script and style of the page, as they stand between their tags."""
    script = "\n".join(_file(name) for name in SCRIPTS)
    return f'"use strict";\n{{\n{script}}}\n', _file("picture.css")


def _digest(text: str) -> str:
    """The source expression of an inline script or style: CSP level 3, "hash-source"."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(values: Mapping[str, Any]) -> str:
    """JSON that cannot end the element it stands in: HTML knows no escapes there, JSON does."""
    text = json.dumps(values, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """The template with each ``{{name}}`` replaced, in one pass: what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda name: parts[name[1]], template)
