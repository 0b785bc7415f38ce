"""One answer: its text through contexts, one after the other, and their audio and words back as one.

A context is at most one at a time, so that an answer takes one place of those the plan allows. What broke off is asked
for again from the first word of which not all audio had come.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from voiceloop.errors import ModelError
from voiceloop.tts.base import Speech
from voiceloop.tts.cartesia_endpoint import OWN_LIMIT
from voiceloop.tts.cartesia_events import Refused
from voiceloop.tts.cartesia_link import ERRORS, Link
from voiceloop.tts.cartesia_options import CartesiaOptions
from voiceloop.tts.cartesia_socket import AUDIO_LIMIT, Context
from voiceloop.tts.cartesia_text import Pieces
from voiceloop.tts.cartesia_track import RATE, Track
from voiceloop.tts.pace import Pace

__all__ = ["Answer", "BrokenOff"]

QUICK = 0.03
"""Seconds between two pieces of text, at most, for an answer to begin with a single word: the next ones must be there
before it is spoken."""
_EARLY = 0.002
"""Seconds by which a timer may fire before its time."""
_LETTERS = 15.0
"""Characters a second: how long text will be when spoken, about."""
_SPARE = 0.25
"""Seconds that it takes, at most, until the voice has made something of a text."""
_LEAD = 0.3
"""Seconds of audio that were given and cannot have been heard yet, below which all is given that is there."""
_SILENCE = b"\xff"
_JOINT = 0.06
"""Seconds of silence where an answer goes on after it broke off: what was cut does not run into what follows."""
_PAUSES = (0.0, 0.1, 0.2, 0.4)
"""Seconds before another try, the first first."""
_BUSY_PAUSE = 0.15
"""Seconds before another try when all contexts of the plan are in use."""


class BrokenOff(ModelError):
    """An answer stopped on its way; what is left of it is worth asking for again."""


class _Part:
    """What is known of the context that speaks now."""

    def __init__(self, context: Context, track: Track, start: int) -> None:
        self.context = context
        self.track = track
        self.start = start
        """Where its text begins in that of the answer."""
        self.spoke_at: float | None = None
        """When something that can be spoken was last said to it."""
        self.finished = False
        """Nothing more will be said to it."""
        self.flushed = False
        """What was said to it is being spoken."""
        self.done = False
        """Nothing more will come."""
        self.failure: Exception | None = None


class Answer:
    """Speaks one text.

    Args:
        link: the way to Cartesia.
        fields: what stands in every request.
        options: how to speak.
        pace: of the model, from the answers before; kept up with this one.
    """

    def __init__(self, link: Link, fields: Mapping[str, Any], options: CartesiaOptions, pace: Pace) -> None:
        self._link = link
        self._fields = fields
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._pieces = Pieces(
            phrases=not options.max_buffer_delay_ms,
            idle=options.idle,
            language=options.language or "en",
            eager=options.eager and pace.within(QUICK),
        )
        self._pace = pace
        self.unreadable: BaseException | None = None
        """What the text raised."""
        self._given = 0  # bytes
        self._began_at = 0.0  # when the first were given
        self._holding = False  # enough is on its way
        self._tries = 0  # without a new word
        self._busy_until: float | None = None
        self._epoch = link.epoch

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech, None]:
        """Speak the text as it is written."""
        reader = asyncio.create_task(self._read(text), name="CartesiaTTS: text")
        reader.add_done_callback(self._text_ended)
        try:
            while await self._more():
                async with aclosing(self._context()) as pieces:
                    async for speech in pieces:
                        self._began_at = self._began_at if self._given else self._loop.time()
                        self._given += len(speech.audio)
                        yield speech
            if not self._given and self._pieces.text.strip():
                # Only an emoji, say. Without any audio it would look like a voice that failed, and never be "heard".
                yield Speech(_SILENCE * round(0.02 * RATE))
        finally:
            reader.cancel()

    # --- the text -----------------------------------------------------------------------------------------------

    async def _read(self, text: AsyncIterator[str]) -> None:
        last: float | None = None
        async for piece in text:
            now = self._loop.time()
            self._pace.note(last, now)
            last = now
            self._pieces.feed(piece, now)
            self._news.set()
        self._pieces.close()

    def _text_ended(self, reader: asyncio.Task[None]) -> None:
        self.unreadable = asyncio.CancelledError() if reader.cancelled() else reader.exception()
        self._news.set()

    async def _more(self) -> bool:
        """Wait for something to speak; False when there is no more."""
        while True:
            self._news.clear()
            if self.unreadable is not None:
                raise self.unreadable
            self._pieces.release(self._loop.time())
            if self._pieces.speakable:
                return True
            if self._pieces.closed:
                return False
            await self._wait(self._pieces.due)

    async def _wait(self, until: float | None) -> None:
        try:
            async with asyncio.timeout_at(until):
                await self._news.wait()
        except TimeoutError:
            pass

    # --- a context ----------------------------------------------------------------------------------------------

    async def _context(self) -> AsyncGenerator[Speech, None]:
        """Speak until a context ends, one way or another."""
        failure: Exception | None = None
        try:
            async with self._link.context(self._news, self._fields) as context:
                part = _Part(context, Track(self._given / RATE), self._pieces.given)
                self._holding = False
                async with aclosing(self._part(part)) as pieces:
                    async for speech in pieces:
                        yield speech
                failure = part.failure
        except ERRORS as error:
            if error is self.unreadable:
                raise
            failure = error
        if failure is not None:
            await self._again(failure)

    async def _part(self, part: _Part) -> AsyncGenerator[Speech, None]:
        while True:
            self._news.clear()
            if self.unreadable is not None:
                raise self.unreadable
            now = self._loop.time()
            self._receive(part)
            if not part.done and part.failure is None:
                self._hand_over(part, now)
                self._watch(part, now)
            if part.failure is not None:
                speech = self._cut(part)
            elif part.done:
                speech = self._complete(part)
            else:
                speech = part.track.take(all=self._hungry(now))
            if speech is not None:
                yield speech
            if part.done or part.failure is not None:
                return
            if speech is None:
                await self._wait(self._deadline(part))

    def _receive(self, part: _Part) -> None:
        context = part.context
        while context.events and not part.done and part.failure is None:
            event = context.take()
            part.track.add(event.audio, event.words)
            part.done = event.done
            part.failure = event.error
        if context.flooded:
            raise ModelError(f"more than {AUDIO_LIMIT:g} s of audio came that was not asked for")
        if context.lost and not part.done and part.failure is None:
            part.failure = BrokenOff("the socket closed before the answer was complete")

    def _hand_over(self, part: _Part, now: float) -> None:
        """Say to the context what is to be said by now."""
        if part.finished:
            return
        pieces, opening = self._pieces, not part.track.sent
        quiet = self._quiet_at(part)
        if quiet is not None and now + _EARLY >= quiet:
            self._say(part, "", goes_on=False)
            return
        starved = self._starved_at(part, now)
        pieces.release(now, at_once=starved is not None and now + _EARLY >= starved)
        while not self._enough(part) and (piece := pieces.take(opening=opening)):
            self._say(part, piece, goes_on=not pieces.ended)
            opening = False
        if pieces.ended and not part.finished and not opening:
            self._say(part, "", goes_on=False)
        flush = self._flush_at(part)
        if flush is not None and now + _EARLY >= flush:
            part.flushed = True
            part.context.say("", goes_on=True, flush=True)

    def _say(self, part: _Part, text: str, *, goes_on: bool) -> None:
        part.context.say(text, goes_on=goes_on)
        part.track.sent += text
        if any(map(str.isalnum, text)):
            part.spoke_at = self._loop.time()
        part.finished, part.flushed = not goes_on, False

    def _enough(self, part: _Part) -> bool:
        """Whether so much is on its way that more can wait."""
        coming = max(part.track.received / RATE, len(part.track.sent) / _LETTERS) - part.track.given / RATE
        self._holding = coming > (self._options.ahead / 2 if self._holding else self._options.ahead)
        return self._holding

    def _quiet_at(self, part: _Part) -> float | None:
        """When the context has been quiet for too long to say more to it; None if nothing was said yet.

        What cannot be spoken does not keep it alive: Cartesia counts from its last audio.
        """
        if part.spoke_at is None or part.finished:
            return None
        return max(part.spoke_at, part.context.heard_at or 0.0) + self._options.pause

    def _flush_at(self, part: _Part) -> float | None:
        """When what the server holds back is to be spoken as it is; None if there is nothing like that."""
        if not self._options.max_buffer_delay_ms or part.finished or part.flushed or part.spoke_at is None:
            return None
        return part.spoke_at + self._options.idle

    def _stalled_at(self, part: _Part) -> float | None:
        """When something should have come; None if nothing is due."""
        since = part.context.waiting_since
        if since is None and part.finished:
            since = part.context.heard_at
        return None if since is None else since + self._options.stall

    def _watch(self, part: _Part, now: float) -> None:
        stalled = self._stalled_at(part)
        if stalled is None or now + _EARLY < stalled:
            return
        if part.finished and part.track.covered:
            part.done = True  # all was spoken, and only the word that it was is missing
            return
        self._link.suspect(part.context)
        part.failure = BrokenOff(f"nothing came for {self._options.stall:g} s, though there was text to be spoken")

    def _deadline(self, part: _Part) -> float | None:
        times = [self._quiet_at(part), self._stalled_at(part), self._flush_at(part)]
        if not part.finished and not self._holding:
            times += [self._pieces.due, self._starved_at(part, self._loop.time())]
        if part.track.held:
            times.append(self._hungry_at())
        return min((time for time in times if time is not None), default=None)

    def _starved_at(self, part: _Part, now: float) -> float | None:
        """When so little is left to be heard that what is written must not wait for the rest of its phrase."""
        if self._pieces.due is None or not self._given:
            return None
        at = self._began_at + (self._given - part.track.given + part.track.received) / RATE - _SPARE
        return at if at > now or part.track.covered else None  # else more is on its way

    # --- what comes ---------------------------------------------------------------------------------------------

    def _hungry_at(self) -> float:
        """When so little is left to be heard that no audio can be held back."""
        return self._began_at + self._given / RATE - _LEAD if self._given else 0.0

    def _hungry(self, now: float) -> bool:
        return now + _EARLY >= self._hungry_at()

    def _complete(self, part: _Part) -> Speech | None:
        """The context is over. One that the server ended by itself may not have spoken all that was said to it."""
        if not part.finished and not part.track.covered and (part.track.spoken() or not part.track.received):
            self._pieces.rewind(part.start + part.track.spoken())
        self._progress(part)
        return part.track.finish()

    def _cut(self, part: _Part) -> Speech | None:
        """The context broke off: what can be given of it; what is left of its text is to be spoken again."""
        track, failure = part.track, part.failure
        if track.received and track.covered:
            part.failure, part.done = None, True  # nothing is missing but the word that it was all
            return _parted(self._complete(part))
        try:
            speech, spoken = track.cut()
        except LookupError as error:
            part.failure = ModelError(f"{failure}: {error}, so it cannot go on")
            return track.finish()
        if spoken:
            self._progress(part)
        if track.received and isinstance(failure, Refused) and failure.status in (400, 404, 422):
            part.failure = BrokenOff(f"the context was ended ({failure.status}): {failure.said}")
        self._pieces.rewind(part.start + spoken)
        return _parted(speech) if track.given else speech

    def _progress(self, part: _Part) -> None:
        if part.track.received:
            self._tries, self._busy_until = 0, None

    async def _again(self, failure: Exception) -> None:
        """Wait before another try.

        Raises: the failure, when there is to be none.
        """
        now = self._loop.time()
        if self._link.epoch != self._epoch:
            raise ModelError("it was closed, with aclose(), before the answer was complete")
        if isinstance(failure, Refused) and failure.busy and failure.code != OWN_LIMIT:
            self._busy_until = self._busy_until or now + self._options.wait
            if now >= self._busy_until:
                raise failure
            await asyncio.sleep(_BUSY_PAUSE)
            return
        self._tries += 1
        if self._tries >= self._options.tries or (isinstance(failure, ModelError) and not _worth(failure)):
            raise failure
        await asyncio.sleep(_PAUSES[min(self._tries, len(_PAUSES)) - 1])


def _parted(speech: Speech | None) -> Speech:
    """With silence behind it."""
    before = speech or Speech()
    return Speech(before.audio + _SILENCE * round(_JOINT * RATE), before.words)


def _worth(failure: ModelError) -> bool:
    """Whether asking again may help."""
    return isinstance(failure, BrokenOff) or (isinstance(failure, Refused) and not (failure.final or failure.busy))
