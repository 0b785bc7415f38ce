"""Calls out from a server that runs: gives the order, and follows how the call goes.

Twilio tells by callbacks. Those may be lost, so it is asked, too. An order to call is sent once, whatever becomes of
it.

Source: https://www.twilio.com/docs/voice/api/call-resource
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from voiceloop.call import Call
from voiceloop.server.dial_options import DialError, DialOptions, Outcome
from voiceloop.server.dialled import Dialled
from voiceloop.server.outgoing import encode_out
from voiceloop.server.phone import Phone
from voiceloop.server.voice import OUT, OWN
from voiceloop.server.webhook import AnsweredBy, CallStatus
from voiceloop.twilio import twiml as tw
from voiceloop.twilio.rest import TwilioError, TwilioREST
from voiceloop.twilio.rest_records import CallInfo

__all__ = ["Dialler", "checked_params"]

log = logging.getLogger("voiceloop.phone")

NUMBER_VARIABLE: Final = "TWILIO_NUMBER"
"""Names the number to call from."""
_QUEUED: Final = 600.0
"""Seconds that Twilio may keep a call waiting for its turn."""
_GRACE: Final = 60.0
"""Seconds beyond what was ordered in which Twilio may say that a call is over. Then it is hung up, and given up."""
_REPORT: Final = 20.0
"""Seconds that the agent's side may take to end after the call has."""
_FROM_AFAR: Final = 3.0
"""Seconds in which the stream of a call may still come here; then what is to be done is done through Twilio."""
_SETTLING: Final = 1.0
"""Seconds from the end of a stream to the question whether the call is over, too."""
_ON_THE_LINE: Final = 60.0
"""Seconds between two questions while the call is on a line of this process: its end is seen here."""
_SEARCH: Final = 10.0
"""Seconds in which a call is looked for whose order was sent, and not answered."""
_STRANGERS: Final = 100
"""Calls of others, of which news came while an order was under way, that are remembered."""


class Dialler:
    """Calls out from a server that runs, many calls at a time::

        dialler = Dialler(serving.phone)
        outcome = await dialler.dial("+15550001111", params={"order": "17"})

    With several workers another one may get the call: then `Outcome.report` is None, and a message is left by Twilio's
    own voice.

    Args:
        phone: the server, whose bot talks to whoever is called.
        rest: Twilio's REST API; None: the phone's own, ``phone.options.carrier``.
        most_calls: at a time; a further one waits for its turn, as it does while the server has no room for it. Twilio
            begins one call a second of an account, unless it allows more, and lets the others wait.

    Raises:
        DialError: there is no REST API, or no public URL.
    """

    def __init__(self, phone: Phone, rest: TwilioREST | None = None, *, most_calls: int = 50) -> None:
        carrier = rest or phone.options.carrier
        if not isinstance(carrier, TwilioREST):
            raise DialError(
                "calling out needs Twilio's REST API: set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or give a "
                "TwilioREST"
            )
        if not phone.door.base:
            raise DialError("calling out needs a public URL: set VOICELOOP_PUBLIC_URL, or PhoneOptions.public_url")
        if most_calls < 1:
            raise DialError(f"expected most_calls of at least 1, got {most_calls}")
        self._phone = phone
        self._rest = carrier
        self._room = asyncio.Semaphore(most_calls)
        self._from = ""
        self._calls: dict[str, Dialled] = {}
        self._ordering = 0
        self._strangers: OrderedDict[str, Dialled] = OrderedDict()
        phone.on_call.append(self._on_call)
        phone.on_status.append(self._on_status)
        phone.on_answered_by.append(self._on_answered_by)

    def close(self) -> None:
        """Listen to the server no more. Harmless when it was done before."""
        hooks = (
            (self._phone.on_call, self._on_call),
            (self._phone.on_status, self._on_status),
            (self._phone.on_answered_by, self._on_answered_by),
        )
        for listed, hook in hooks:
            with suppress(ValueError):
                listed.remove(hook)  # type: ignore[arg-type]  # each list holds its own kind

    @property
    def calls(self) -> int:
        """Calls that are under way."""
        return len(self._calls)

    async def dial(
        self,
        to: str,
        *,
        from_: str | None = None,
        params: Mapping[str, str] | None = None,
        options: DialOptions | None = None,
    ) -> Outcome:
        """Call somebody; returns when the call is over. Arguments as for `dial_out`.

        What Twilio refuses is an outcome, ``failed``, with what to do in `Outcome.why`. When it is cancelled, the call
        is hung up.

        Raises:
            DialError: what is ordered cannot be, or the server is stopping; nobody was called.
            VoiceloopError: likewise: a number is none, or there is none to call from.
        """
        options = options or DialOptions()
        to = tw.callee(to)
        base = self._phone.door.base
        out = encode_out(checked_params(params))
        url = f"{base}/voice?{OUT}={out}" if params else f"{base}/voice"
        async with self._room:
            call: Dialled | None = None
            try:
                caller = tw.callee(from_) if from_ is not None else await self._own_number()
                await self._line()
                call = await self._ordered(to, caller, url, options)
                await self._until_over(call, options)
                await self._settled(call)
                if options.machine != "ignore" and call.answered and not call.heard:
                    await self._ask(call)  # Twilio knows by now what it had no callback for
                return call.outcome(options)
            except TwilioError as error:
                return Outcome(status="failed", call_sid=call.sid if call else "", why=str(error), code=error.code)
            except asyncio.CancelledError:
                if call is not None and not call.over:
                    await self._hang_up(call)
                raise
            finally:
                if call is not None:
                    self._calls.pop(call.sid, None)

    async def _line(self) -> None:
        """Wait until the server could take the call, and its load allows it: who picks up and is hung up on will not
        pick up again.

        Raises:
            DialError: the server is stopping.
        """
        while True:
            if self._phone.stopping:
                raise DialError("the server is stopping: nobody is called any more")
            coming = sum(1 for call in self._calls.values() if call.call is None and call.report is None)
            known = coming + self._ordering
            room = len(self._phone.calls) + known < self._phone.options.most_calls
            if room and self._phone.load.has_spare(known):
                return
            await asyncio.sleep(_SETTLING)

    async def _own_number(self) -> str:
        """The number to call from, when none is given.

        Raises:
            DialError: there is none, or more than one.
            TwilioError: Twilio cannot be asked.
        """
        if not self._from:
            given = os.environ.get(NUMBER_VARIABLE, "").strip()
            if given:
                self._from = tw.callee(given)
                return self._from
            found = [number.number for number in await self._rest.numbers() if number.voice]
            if len(found) != 1:
                have = f"{len(found)} numbers" if found else "no number"
                raise DialError(f"the account has {have}: say which to call from, with from_ or {NUMBER_VARIABLE}")
            self._from = found[0]
        return self._from

    # --- the order -----------------------------------------------------------------------------------------

    async def _ordered(self, to: str, caller: str, url: str, options: DialOptions) -> Dialled:
        """Give the order, once.

        Raises:
            TwilioError: it was refused, or it is not known what became of it.
        """
        status = f"{self._phone.door.base}/status"
        order = self._rest.dial(
            to,
            caller,
            url=url,
            status_callback=status,
            timeout=options.ring,
            time_limit=options.limit,
            send_digits=options.send_digits,
            more=options.fields(status),
        )
        self._ordering += 1
        task = asyncio.ensure_future(order)
        try:
            try:
                info = await asyncio.shield(task)
            except asyncio.CancelledError:
                # The order is on its way: only Twilio's answer says what there is to hang up.
                with suppress(Exception):
                    await self._rest.hang_up((await task).sid)
                raise
            except TwilioError as error:
                if not error.unclear:
                    raise
                info = await self._searched(to, caller, error)
            return self._take(info, options)
        finally:
            self._ordering -= 1
            if not self._ordering:
                self._strangers.clear()

    def _take(self, info: CallInfo, options: DialOptions) -> Dialled:
        call = self._strangers.pop(info.sid, None) or Dialled(info.sid)
        call.options = options
        call.went_on(info.status)
        self._calls[info.sid] = call
        call.act()
        return call

    async def _searched(self, to: str, caller: str, error: TwilioError) -> CallInfo:
        """Find the call of an order to which there was no answer.

        Raises:
            TwilioError: it is not to be found.
        """
        log.warning("%s; whether they are called is looked up", error)
        loop = asyncio.get_running_loop()
        end = loop.time() + _SEARCH
        while loop.time() < end:
            for stranger in self._strangers.values():
                if stranger.parties == (to, caller):
                    return CallInfo(stranger.sid, stranger.status, "outbound-api", to, caller, None, "")
            with suppress(TwilioError):
                for found in await self._rest.calls(to, caller):
                    if not found.ended and found.direction == "outbound-api" and found.sid not in self._calls:
                        return found
            await asyncio.sleep(_SETTLING)
        unclear = f"{error}. Whether they are called is not known; the order was not sent again"
        raise TwilioError(unclear, code=error.code, status=error.status, unclear=True)

    # --- how it goes ---------------------------------------------------------------------------------------

    async def _until_over(self, call: Dialled, options: DialOptions) -> None:
        loop = asyncio.get_running_loop()
        while not call.over:
            end = call.since + self._patience(call, options)
            if loop.time() >= end:
                await self._hang_up(call)
                text = f"Twilio has not said for {loop.time() - call.since:.0f} s how the call {call.sid} goes on"
                raise TwilioError(f"{text}; it was hung up")
            call.news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(end, loop.time() + self._interval(call, options))):
                    await call.news.wait()
                    continue
            if call.waiting_since is not None and loop.time() >= call.waiting_since + _FROM_AFAR:
                await self._act_from_afar(call, options)
            await self._ask(call)

    def _patience(self, call: Dialled, options: DialOptions) -> float:
        """Seconds that a call may stay as it is."""
        if call.status in ("queued", "initiated"):
            return _QUEUED
        return _GRACE + (options.ring if call.status == "ringing" else options.limit)

    def _interval(self, call: Dialled, options: DialOptions) -> float:
        """Seconds until Twilio is asked, when there is no news."""
        if call.waiting_since is not None:
            return min(_FROM_AFAR, options.poll)
        if call.call is not None:
            undecided = options.machine != "ignore" and not call.heard and not options.wait
            return options.poll if undecided else max(_ON_THE_LINE, options.poll)
        return min(_SETTLING, options.poll) if call.report is not None else options.poll

    async def _ask(self, call: Dialled) -> None:
        try:
            info = await self._rest.status(call.sid)
        except TwilioError as error:
            log.warning("%s", error)
            return
        call.went_on(info.status)
        call.duration = info.duration if call.duration is None else call.duration
        call.found(info.answered_by)

    async def _act_from_afar(self, call: Dialled, options: DialOptions) -> None:
        """Act on a call whose stream is not here: another worker has it, or it has none yet."""
        wanted = call.wanted
        call.done()
        try:
            if wanted == "message":
                await self._rest.redirect(call.sid, tw.document(tw.say(options.message), tw.hang_up()))
            elif wanted:
                await self._rest.hang_up(call.sid)
        except TwilioError as error:
            log.warning("%s", error)

    async def _hang_up(self, call: Dialled) -> None:
        with suppress(TwilioError, TimeoutError):
            await self._rest.hang_up(call.sid)

    async def _settled(self, call: Dialled) -> None:
        """Wait for the end of the agent's side, too."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_REPORT):
                while call.call is not None:
                    call.news.clear()
                    await call.news.wait()

    # --- what the server hears -----------------------------------------------------------------------------

    def _dialled(self, sid: str, direction: str) -> Dialled | None:
        """The call of that id; while orders are under way, also one that may turn out to be ours."""
        call = self._calls.get(sid)
        if call is None and self._ordering and direction == "outbound":
            call = self._strangers.setdefault(sid, Dialled(sid))
            while len(self._strangers) > _STRANGERS:
                self._strangers.popitem(last=False)
        return call

    def _on_call(self, call: Call) -> None:
        found = self._dialled(call.id, call.direction)
        if found is not None:
            found.connected(call)

    def _on_status(self, status: CallStatus) -> None:
        found = self._dialled(status.call_sid, status.direction)
        if found is not None:
            found.told(status)

    def _on_answered_by(self, answered: AnsweredBy) -> None:
        found = self._dialled(answered.call_sid, "outbound")
        if found is not None:
            found.found(answered.heard)


def checked_params(params: Mapping[str, str] | None) -> dict[str, str]:
    """Parameters that a stream can carry.

    Raises:
        DialError: it could not.
    """
    given = dict(params or {})
    if taken := sorted(set(given) & set(OWN)):
        raise DialError(f"the server needs the names {', '.join(taken)} itself: call your parameters otherwise")
    if len(given) > tw.MAX_PARAMETERS - len(OWN):
        raise DialError(f"expected at most {tw.MAX_PARAMETERS - len(OWN)} parameters, got {len(given)}")
    for name, value in given.items():
        if isinstance(name, str) and isinstance(value, str) and len(name) + len(value) > tw.MAX_PARAMETER:
            raise DialError(
                f"the parameter {name[:50]!r} has {len(name) + len(value)} characters with its name, more than "
                f"{tw.MAX_PARAMETER}: pass an id, and keep the rest on your side"
            )
    return given
