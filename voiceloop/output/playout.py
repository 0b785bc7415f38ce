"""Playout: what is queued, what was sent, what was played. A state machine without I/O and without a clock.

Audio is sent ahead of real time by a bounded lead, with marks between. A mark's echo says how far the carrier has
played; a clear takes back what it has not. How the carrier behaves: Twilio Media Streams, "WebSocket messages";
one FIFO of audio and marks, 8000 bytes a second, an empty buffer is silence.

How to drive it: call `queue`, `finish`, `hold` and `release` as content comes and `pump` after them; `echo`, `clear`
and `resume` send by themselves. Carry out every returned list in order, then set the one timer to `next_wakeup()`,
which calls `pump`. After a stall call `pump` as soon as possible; nothing else is to be done.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from voiceloop.frames import Word
from voiceloop.output.echoes import Echoes
from voiceloop.output.events import (
    RATE,
    Assumed,
    Finished,
    Output,
    PlayoutOptions,
    Position,
    SendClear,
    SendMark,
    SendMedia,
    Settled,
    Started,
)
from voiceloop.output.marks import EARLY, Echo, Mark, MarkKind, count_played
from voiceloop.output.pacing import FRAME, Pacing
from voiceloop.output.transit import Transit
from voiceloop.output.voice import Voice, bytes_at

__all__ = ["Playout", "PlayoutOptions", "Position"]


@dataclass(slots=True)
class _Cut:
    """A clear whose fence was not echoed yet."""

    fence: str
    sent: float
    marks: list[Mark]
    voices: list[Voice]
    echoes: dict[str, Echo] = field(default_factory=dict)


class Playout:
    """Sends the voices of answers one after the other and knows how far each was played.

    `key` is any number that stands for one answer and is never used again. All times are seconds on one clock.
    """

    def __init__(self, options: PlayoutOptions | None = None) -> None:
        self.options = options = options or PlayoutOptions()
        self.open = True
        """False while the line carries nothing yet: nothing is sent."""
        self.due: float | None = None
        """When there will be room for the next step, seconds, when all of that was given: more audio changes nothing
        before. Else None. As of the last `next_wakeup`."""
        self._mark_every = bytes_at(options.mark_every)
        self._voices: dict[int, Voice] = {}  # not settled yet, in the order they speak
        self._settled: dict[int, Position] = {}
        self._transit = Transit(options.round_trip)
        self._pacing = Pacing(options, self._transit)
        self._echoes = Echoes(options)
        self._cuts: list[_Cut] = []
        self._clears = 0
        self._stopped: dict[int, float] = {}  # paused answers that sounded: when they stopped

    # --- content comes in ---

    def queue(self, key: int, audio: bytes, words: Collection[Word] = ()) -> None:
        """Add audio (mu-law) and words (seconds from the answer's first sample) of an answer; either may be empty.

        Answers speak in the order they first come here. What comes for an answer that was cut is ignored.
        """
        voice = self._voice(key)
        if voice is None or voice.dropped:
            return
        if audio and voice.finished:
            raise ValueError(f"answer {key} is finished: expected no more audio, got {len(audio)} bytes")
        voice.add(audio, words)

    def finish(self, key: int) -> None:
        """No more audio will come for this answer. One without any finishes when its turn to speak has come."""
        if (voice := self._voice(key)) is not None:
            voice.finished = True

    def hold(self, key: int) -> None:
        """Keep a speculative answer back. Others may overtake it. No effect on one that has begun to be sent."""
        voice = self._voice(key)
        if voice is not None and not voice.begun:
            voice.held = True

    def release(self, key: int) -> None:
        """Let a held answer speak, in its place in the order."""
        if key in self._voices:
            self._voices[key].held = False

    # --- time passes ---

    def pump(self, now: float) -> list[Output]:
        """Send what may be sent now, and give up waiting for what will not come."""
        out: list[Output] = []
        echoes, transit = self._echoes, self._transit
        echoes.woke(now)
        while self._cuts and now >= max(self._cuts[0].sent + echoes.fence, echoes.excused):
            echoes.missed()
            self._settle(self._cuts[0], None, now, out)
        if now >= echoes.excused and (late := transit.overdue(echoes.mark, now)) is not None:
            waited = now - transit.marks[0].due - self.round_trip
            echoes.missed()
            late = max(late, transit.overdue(echoes.mark, now) or 0)
            self._reach(late, transit.marks[late].due + self.round_trip, out, waited=waited)
        self._send(now, out)
        return out

    def next_wakeup(self) -> float | None:
        """When `pump` must be called next, seconds; None when only new input can change anything. Sets `due`, too."""
        echoes, marks, when = self._echoes, self._transit.marks, math.inf
        if self._cuts:
            when = max(self._cuts[0].sent + echoes.fence, echoes.excused)
        if marks:
            when = min(when, max(self._transit.gives_up(0, echoes.mark), echoes.excused))
        voice, self.due = self._speaker(), None
        if voice is not None and voice.sent < voice.total:
            sendable, full = self._pacing.sendable(voice)
            when = min(when, sendable)
            self.due = sendable if full else None
        return echoes.wakes(None if when == math.inf else when)

    def echo(self, name: str, sequence: int, now: float) -> list[Output]:
        """The carrier echoed a mark. Unknown and repeated names are ignored; `sequence` is 0 if it gave none."""
        out: list[Output] = []
        self._echoes.came()
        if (index := self._transit.find(name)) is not None:
            while self._cuts:  # this mark was sent behind those fences, so they are lost
                self._settle(self._cuts[0], None, now, out)
            if self._transit.believes(index, now):
                self._transit.echoed(self._transit.marks[index], now)
                self._reach(index, now, out)
        for cut in self._cuts:
            if name == cut.fence:
                self._transit.measured(now - cut.sent)
                while self._cuts[0] is not cut:
                    self._settle(self._cuts[0], None, now, out)
                self._settle(cut, Echo(sequence, now), now, out)
                break
            if any(mark.name == name for mark in cut.marks):
                cut.echoes.setdefault(name, Echo(sequence, now))
                break
        self._send(now, out)
        return out

    # --- interruption ---

    def clear(self, now: float, *, keep: bool = False, keys: Collection[int] | None = None) -> list[Output]:
        """Stop the sound of these answers (default: of all).

        Args:
            now: seconds.
            keep: False drops what was not heard; `Settled` tells when it is known what was. True keeps it for
                `resume`, for which an answer that has not come here yet waits, too. Audio of answers not named here
                that the clear takes with it is sent again.
            keys: answers; unknown ones are ignored.
        """
        out: list[Output] = []
        for key in keys or () if keep else ():
            self._voice(key)  # one that has not come here yet is not to begin, either
        targets = [voice for key, voice in self._voices.items() if keys is None or key in keys]
        for voice in targets:
            if keep:
                voice.paused = True
            else:
                voice.drop()
        if any(voice.flying and not voice.settling for voice in targets):
            self._cut(now, out)
        for voice in targets:
            if voice.dropped and not voice.settling:
                self._close(voice, self._stopped.get(voice.key, now), out, complete=False)
        self._send(now, out)
        return out

    def resume(self, now: float, keys: Collection[int] | None = None) -> list[Output]:
        """Go on with these paused answers (default: all), each from the start of the first word that was not heard.

        If the echo of the fence is still out, sound waits for it: only then is that word known.
        """
        for key, voice in self._voices.items():
            if keys is None or key in keys:
                voice.paused = False
        return self.pump(now)

    # --- a sound under the silence ---

    @property
    def voiced(self) -> float | None:
        """When all that was said will have been played, seconds; None while there is more to say, or while somebody is
        paused."""
        if not self.open or any(voice.paused or voice.settling for voice in self._voices.values()):
            return None
        speaker = self._speaker()
        return self._transit.voiced if speaker is None or speaker.sent == speaker.total else None

    def runs_out(self, now: float) -> float | None:
        """When all that was given of an unfinished answer will be known to be played, if no echo says so before,
        seconds; None when there is more to send, or that time has come."""
        voice = self._speaker()
        if voice is None or not voice.flying or voice.sent < voice.total:
            return None
        when = self._transit.voiced + self.round_trip / 2
        return when if when > now else None

    @property
    def head(self) -> float:
        """When all that was sent will have been played, seconds."""
        return self._transit.head

    def fill(self, audio: bytes, now: float) -> SendMedia:
        """Send sound that is nobody's voice, with the key 0. What is said next waits for it."""
        return SendMedia(audio, 0, 0, self._transit.fill(len(audio), now))

    # --- questions ---

    @property
    def round_trip(self) -> float:
        """The smallest time seen from sending a mark into an empty buffer to its echo, seconds; a guess before."""
        return self._transit.round_trip

    def unplayed(self, key: int, now: float) -> float:
        """Seconds of an answer's known audio that were not played yet, as estimated: for back-pressure."""
        if (voice := self._voices.get(key)) is None or voice.dropped:
            return 0.0
        return (voice.total - self._transit.reached(voice, now - self.round_trip / 2)) / RATE

    def position(self, key: int, now: float) -> Position:
        """How far an answer was played. Between a clear and its `Settled` this is provisional."""
        if (voice := self._voices.get(key)) is None:
            return self._settled.get(key, Position())
        bound = voice.bound if voice.settling else self._bound(voice, now)
        return Position(
            voice.played,
            max(bound, voice.played),
            voice.total,
            voice.finished,
            assumed=voice.assumed,
            doubt=voice.doubt(self._transit.early),
        )

    # --- inside: sending ---

    def _voice(self, key: int) -> Voice | None:
        return None if key in self._settled else self._voices.setdefault(key, Voice(key))

    def _speaker(self) -> Voice | None:
        """The answer whose audio goes out next, if any may."""
        if not self.open:
            return None
        waiting = None
        for voice in self._voices.values():
            if voice.dropped or (voice.ended and not voice.settling):
                continue
            if voice.settling or voice.paused:
                return None  # it has the floor
            if voice.begun:
                return voice
            if not voice.held and waiting is None:
                waiting = voice
        return waiting

    def _send(self, now: float, out: list[Output]) -> None:
        while (voice := self._speaker()) is not None:
            if voice.exhausted:
                out.append(SendMark(self._transit.mark(MarkKind.END, voice, now)))
                voice.ended = voice.flying = True
                continue
            size = self._pacing.allowance(voice, now)
            if size <= 0:
                break
            self._send_some(voice, voice.sent + size, now, out)

    def _send_some(self, voice: Voice, until: int, now: float, out: list[Output]) -> None:
        """Send a voice up to a position, a message from mark to mark."""
        transit = self._transit
        if not voice.begun:
            out.append(SendMark(transit.mark(MarkKind.START, voice, now)))
        self._stopped.pop(voice.key, None)
        voice.begun = voice.flying = True
        while voice.sent < until:
            start, edge = voice.sent, voice.next_mark(self._mark_every)
            payload = voice.take(min(until, edge) - start)
            out.append(SendMedia(payload, voice.key, start, transit.media(len(payload), now)))
            if voice.sent == edge and not voice.exhausted:
                out.append(SendMark(transit.mark(MarkKind.PLACE, voice, now)))

    # --- inside: what was played ---

    def _reach(self, index: int, echoed: float, out: list[Output], *, waited: float | None = None) -> None:
        """All marks sent since the last clear were played up to this one. Without its echo that is assumed, after
        `waited` seconds in vain."""
        played = self._transit.take(index)
        for mark in played:
            self._played(mark, echoed - (played[-1].due - mark.due), out, waited=waited)

    def _played(self, mark: Mark, echoed: float, out: list[Output], *, waited: float | None) -> None:
        voice, at, assumed = self._voices[mark.key], echoed - self.round_trip / 2, waited is not None
        if waited is not None:
            self._assume(voice, waited, self.options.echo_limit, out)
        voice.reach(mark.position, sure=waited is None and not mark.early)
        if mark.kind is MarkKind.START:
            voice.started = True
            out.append(Started(voice.key, at, assumed))
        elif mark.kind is MarkKind.END:
            out.append(Finished(voice.key, at, assumed))
            self._close(voice, at, out, complete=True)

    def _assume(self, voice: Voice, waited: float, limit: float, out: list[Output]) -> None:
        """From here on the clock says what was played of it."""
        if not voice.assumed:
            voice.assumed = True
            out.append(Assumed(voice.key, max(0.0, waited), limit, self._echoes.never))

    def _close(self, voice: Voice, at: float, out: list[Output], *, complete: bool) -> None:
        del self._voices[voice.key]
        self._stopped.pop(voice.key, None)
        bound = voice.played if complete else max(voice.played, voice.bound)
        self._settled[voice.key] = Position(
            *(voice.played, bound, voice.total, voice.finished, complete),
            settled=True,
            assumed=voice.assumed,
            doubt=0 if complete and not voice.assumed else voice.doubt(self._transit.early),
        )
        out.append(Settled(voice.key, at, complete))

    def _bound(self, voice: Voice, now: float) -> int:
        return min(voice.sent, self._transit.reached(voice, now) + FRAME)

    # --- inside: clear ---

    def _cut(self, now: float, out: list[Output]) -> None:
        self._clears += 1
        flying = [voice for voice in self._voices.values() if voice.flying and not voice.settling]
        for voice in flying:
            # The clear takes as long to the carrier as the audio did, so by the clock of sending it acts now.
            voice.bound = max(voice.bound, self._bound(voice, now))
        for voice in flying:
            voice.settling = True
        cut = _Cut(f"f:{self._clears}", now, self._transit.clear(now), flying)
        self._cuts.append(cut)
        out += [SendClear(), SendMark(cut.fence)]

    def _settle(self, cut: _Cut, fence: Echo | None, now: float, out: list[Output]) -> None:
        """The burst of a clear is over, or will not come: judge what was played before it."""
        self._cuts.remove(cut)
        count = count_played(cut.marks, cut.echoes, fence, cut.sent, self._transit.least_round_trip)
        for mark in cut.marks:
            mark.early |= fence is None and mark.name not in cut.echoes  # if it counts, it does by the clock
        for index, mark in enumerate(cut.marks):
            echo = cut.echoes.get(mark.name)
            # Without a fence, a mark so long overdue that its echo must be lost counts as played.
            assumed = index >= count
            if assumed and (fence is not None or mark.due + max(self._echoes.mark, EARLY) > cut.sent):
                break
            waited = now - cut.sent if assumed or (fence is None and echo is None) else None
            self._played(mark, echo.at if echo is not None else mark.due + self.round_trip, out, waited=waited)
        for voice in cut.voices:
            if voice.key not in self._voices:
                continue  # it was at its end
            if fence is None:
                self._assume(voice, now - cut.sent, self.options.fence_limit, out)
            if voice.dropped:
                self._close(voice, cut.sent + self.round_trip / 2, out, complete=False)
            else:
                self._stopped[voice.key] = cut.sent + self.round_trip / 2
                voice.rewind()
