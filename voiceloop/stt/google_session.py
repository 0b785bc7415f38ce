"""One call at Google's recogniser: streams one after another, transcripts of the whole call.

The audio is cut into spans at the flushes. A flush half-closes the stream of its span, and the next one, open already,
takes over; so finals of one span may come while the next is being heard. Every segment has its number when it is first
told, in the order of the audio. All that happens with time is a deadline in `_deadlines`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from voiceloop.frames import Transcript
from voiceloop.stt.base import Flush
from voiceloop.stt.google_client import Client
from voiceloop.stt.google_errors import Status, passing, status_of
from voiceloop.stt.google_request import RATE, Reply, Settings
from voiceloop.stt.google_segments import Segments
from voiceloop.stt.google_span import KEEP, Attempt, Span

if TYPE_CHECKING:
    from voiceloop.stt.google import GoogleOptions

__all__ = ["Session"]

log = logging.getLogger("voiceloop.stt.google")

PAUSE = round(0.16 * RATE)
"""Samples of silence before a flush at least: voice activity detection waits so long."""
TOLERANCE = round(0.2 * RATE)
"""Samples by which a result may end before speech does and still hold all of it."""
CALM = round(0.3 * RATE)
"""Samples of silence in which a stream may be replaced."""
STALE = 4.0
"""Seconds after which a spare stream is replaced: one that gets no audio is ended after 5 to 10 s."""


@dataclass(slots=True, eq=False)
class _Asked:
    """A flush that is not answered yet."""

    flush: Flush
    span: Span | None
    """The last one that is closed and not done; None when all was settled."""
    at: float


class Session:
    """What `GoogleSTT.transcribe` runs for one call."""

    def __init__(self, client: Client, settings: Settings, options: GoogleOptions) -> None:
        self._client = client
        self._settings = settings
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._position = 0
        self._asked: deque[_Asked] = deque()
        self._spare: Attempt | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = self._loop.time()
        self._news = asyncio.Event()
        self._text = Segments(self._news.set)
        self._failure: Exception | None = None
        self._ended = False

    # --- from and to the call ---

    async def items(self, audio: AsyncIterator[bytes | Flush]) -> AsyncGenerator[Transcript | Flush, None]:
        """Read the audio, yield what is understood."""
        reader = self._run(self._read(audio), "google: audio")
        while True:
            self._news.clear()
            while self._text.out:
                yield self._text.out.popleft()
            if self._failure is not None:
                raise self._failure
            if self._ended and not self._asked and all(span.done for span in self._text.spans):
                break
            if not self._news.is_set():
                await self._news.wait()
        await reader

    async def aclose(self) -> None:
        """Let go of every stream."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, audio: AsyncIterator[bytes | Flush]) -> None:
        async for item in audio:
            if isinstance(item, Flush):
                self._flush(item)
            else:
                self._hear(item)
            self._tick()
        self._finish()
        self._tick()

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
        self._news.set()

    # --- audio ---

    def _hear(self, audio: bytes) -> None:
        span, position = self._text.spans[-1], self._position
        span.hear(audio, position)
        self._position += len(audio)
        self._heard_at = self._loop.time()
        if span.attempt is None and span.retry_at == math.inf:
            self._open(span)
        elif span.attempt is not None:
            span.attempt.feed(audio)
        self._roll(span)
        speaking = span.loud_end is not None and span.loud_end > position
        self._keep_spare(speaking and not self._ended)

    def _flush(self, flush: Flush) -> None:
        span = self._text.spans[-1]
        if span.unsettled(TOLERANCE):
            self._close(span)
        before = self._text.spans[-2] if len(self._text.spans) > 1 else None
        self._asked.append(_Asked(flush, before, self._loop.time()))

    def _finish(self) -> None:
        self._ended = True
        span = self._text.spans[-1]
        if span.unsettled(TOLERANCE):
            self._close(span)
        self._drop(self._text.spans[-1])
        self._text.spans.pop()
        self._stop_spare()
        self._news.set()

    def _close(self, span: Span) -> None:
        """End a span here; what follows is another one's."""
        now = self._loop.time()
        span.end = self._position
        span.drain_at = now + self._options.drain
        span.stall_at = now + self._options.limit
        if span.attempt is not None:
            span.attempt.close()
        following = Span(self._position, tries=span.tries, retry_at=span.retry_at)
        self._text.spans.append(following)
        if self._spare is not None and not self._ended:
            following.attempt, self._spare = self._spare, None
            following.attempt.span, following.attempt.base = following, self._position
        if begun := span.begun():  # the caller speaks again already: a word that is cut is understood by nobody
            following.start = self._position - len(begun)
            following.hear(begun, following.start)
            if following.attempt is not None:
                following.attempt.base = following.start
                following.attempt.feed(begun)

    def _drop(self, span: Span) -> None:
        for attempt in (span.attempt, span.rival):
            if attempt is not None:
                attempt.stop()
        span.attempt = span.rival = None
        span.retry_at = math.inf
        span.done = True

    # --- streams ---

    def _run(self, work: Any, name: str) -> asyncio.Task[None]:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._fail(error)

    def _open(self, span: Span) -> None:
        """A stream for what is not settled of a span."""
        attempt = span.attempt = self._start()
        span.retry_at = math.inf
        attempt.span, attempt.base = span, span.kept_from
        if span.text:
            span.shadow, span.text_end = span.text_end, -1
        attempt.feed(bytes(span.kept))
        if span.end is not None:
            attempt.close()

    def _start(self) -> Attempt:
        attempt = Attempt(self._loop.time(), hinted=bool(self._settings.hints))
        attempt.task = self._run(self._stream(attempt), "google: stream")
        return attempt

    async def _stream(self, attempt: Attempt) -> None:
        """Run a stream to its end."""
        client, settings = self._client, self._settings
        status: Status | None = None
        stream: Any = None
        try:
            requests = attempt.requests(client.dialect, settings, client.project)
            stream = await client.stream(requests)
            async with aclosing(aiter(stream)) as responses:
                async for response in responses:
                    reply = client.dialect.read(response)
                    if reply.error is not None:
                        status = reply.error
                        break
                    self._understand(attempt, reply)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            status = Status("CANCELLED", "the connection was closed")
        except Exception as error:
            status = status_of(error)
        finally:
            attempt.close()
            if stream is not None:
                stream.cancel()
        self._over(attempt, status)
        self._tick()

    def _over(self, attempt: Attempt, status: Status | None) -> None:
        """A stream has ended, well if `status` is None."""
        if attempt is self._spare:
            self._spare = None
            return
        span = attempt.span
        if span is None or attempt not in (span.attempt, span.rival):
            return
        if span.rival is not None and status is not None:  # the other one is still there
            span.attempt = span.rival if attempt is span.attempt else span.attempt
            span.rival = None
            return
        span.attempt = None
        if status is None and span.end is not None:
            self._settle(span)
        elif status is not None and attempt.hinted and self._refuses_hints(status):
            span.retry_at = self._loop.time()
        elif status is not None and not passing(status):
            self._fail(self._client.refusal(status, self._settings.model, self._settings.language))
        else:
            self._again(span, status or Status("UNKNOWN", "the stream ended by itself"))

    def _again(self, span: Span, status: Status) -> None:
        span.tries += 1
        if span.tries > self._options.tries:
            self._fail(self._client.refusal(status, self._settings.model, self._settings.language))
            return
        wait = 0.0 if span.tries == 1 else self._options.backoff * 2.0 ** (span.tries - 2)
        span.retry_at = self._loop.time() + wait
        log.debug("a stream ended (%s: %s); try %d", status.code, status.text, span.tries)

    def _refuses_hints(self, status: Status) -> bool:
        """The model takes no hints: go on without them."""
        if status.code != "INVALID_ARGUMENT" or "adaptation" not in status.text:
            return False
        if self._settings.hints:
            log.warning("the model %s takes no hints: they are left out", self._settings.model)
            self._settings = replace(self._settings, hints=())
        return True

    def _roll(self, span: Span) -> None:
        """Replace the stream before Google ends it, in a silence if there is one."""
        attempt = span.attempt
        if attempt is None:
            return
        age = max(attempt.sent / RATE, self._loop.time() - attempt.opened)
        quiet = not span.unsettled(0) and self._position - (span.loud_end or 0) >= CALM
        if age >= self._options.roll_after and quiet:
            attempt.close()  # it ends by itself; nobody waits for it
            attempt.span = None
            span.forget(self._position)
            self._open(span)
        elif age >= self._options.roll_by or (span.text and len(span.kept) > KEEP):
            if len(span.kept) > KEEP:
                self._text.commit(span, self._position)
            attempt.stop()
            self._open(span)

    def _keep_spare(self, speaking: bool) -> None:
        """Have the next stream open while somebody speaks."""
        if self._spare is not None and self._loop.time() - self._spare.opened >= STALE:
            self._stop_spare()
        if speaking and self._spare is None and self._options.spare and self._text.spans[-1].attempt is not None:
            self._spare = self._start()

    def _stop_spare(self) -> None:
        if self._spare is not None:
            self._spare.stop()
            self._spare = None

    # --- results ---

    def _understand(self, attempt: Attempt, reply: Reply) -> None:
        span = attempt.span
        if span is None or attempt not in (span.attempt, span.rival):
            return
        end = attempt.base + round(reply.end * RATE)
        if reply.finals or reply.interim:
            self._prefer(span, attempt)
        if reply.finals or (reply.interim and end > max(span.text_end, span.shadow)):
            span.tries = 0  # what was known before is no progress: every stream may end behind it
        now = self._loop.time()
        for final in reply.finals:
            self._text.final(span, attempt.base, final, now)
        if reply.interim:
            self._text.interim(span, reply.interim, end, now)
        if reply.over:
            attempt.close()
        self._tick()

    def _prefer(self, span: Span, attempt: Attempt) -> None:
        """Of two streams for a span the one that has spoken first is kept."""
        if span.rival is not None:
            (span.rival if attempt is span.attempt else span.attempt).stop()  # type: ignore[union-attr]
            span.attempt, span.rival = attempt, None

    def _settle(self, span: Span) -> None:
        """Nothing more will be understood of a closed span."""
        self._drop(span)
        self._text.settle(span)

    # --- time ---

    def _tick(self) -> None:
        """Do everything that is due, then set the timer."""
        if self._failure is not None:
            return
        now = self._loop.time()
        while due := [act for when, act in self._deadlines(now) if when <= now + 1e-9]:
            due[0]()
            if self._failure is not None:
                return
        if self._timer is not None:
            self._timer.cancel()
        when = min((when for when, _ in self._deadlines(now)), default=math.inf)
        self._timer = None if when == math.inf else self._loop.call_at(when, self._tick)

    def _deadlines(self, now: float) -> Iterator[tuple[float, Callable[[], None]]]:
        if self._asked:
            yield self._answer_at(self._asked[0]), self._answer
        for span in self._text.spans:
            if span.retry_at != math.inf:
                yield span.retry_at, lambda span=span: self._open(span)  # type: ignore[misc]
            if span.end is not None:
                yield span.drain_at, lambda span=span: self._settle(span)  # type: ignore[misc]
                yield self._stalled_at(span), lambda span=span: self._stalled(span)  # type: ignore[misc]
        if not self._ended and self._text.spans[-1].attempt is not None:
            yield self._heard_at + self._options.idle, self._rest

    def _answer_at(self, asked: _Asked) -> float:
        """When a flush may be answered, as far as is known now."""
        span = asked.span
        if span is None or span.done:
            return asked.at
        last = asked.at + self._options.limit
        speech = _speech_end(span)
        if not span.text and span.final_end >= speech - TOLERANCE:
            return asked.at
        if self._options.settle == "interim" and span.told and span.text_end >= speech - TOLERANCE:
            return min(last, max(asked.at, span.changed) + self._options.stable)
        return last if span.told or span.final_end >= speech - TOLERANCE else math.inf

    def _stalled_at(self, span: Span) -> float:
        """When another stream is asked. Of one that has said something, but not all, the rest is wanted in time."""
        if not span.told:
            return span.stall_at
        missing = max(span.text_end, span.shadow, span.final_end) < _speech_end(span) - TOLERANCE
        return span.stall_at - self._options.limit / 2 if missing else math.inf

    def _stalled(self, span: Span) -> None:
        """Somebody spoke and nothing came, or not all, and not the end of the stream either: ask another one."""
        span.stall_at = math.inf
        if span.attempt is not None:
            slow = span.attempt
            self._open(span)
            span.rival = slow  # it may only be slow: whichever speaks first is heard

    def _answer(self) -> None:
        self._text.tell(self._asked.popleft().flush)

    def _rest(self) -> None:
        """No audio comes: keep no stream open."""
        span = self._text.spans[-1]
        if span.unsettled(TOLERANCE):
            self._close(span)
            span = self._text.spans[-1]
        if span.attempt is not None:
            span.attempt.stop()
            span.attempt = None
        self._stop_spare()


def _speech_end(span: Span) -> int:
    """Position where speech ends in a closed span."""
    assert span.end is not None
    return span.end - PAUSE if span.loud_end is None else min(span.loud_end, span.end - PAUSE)
