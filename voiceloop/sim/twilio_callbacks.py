"""The callbacks of one simulated call: sent in order, or as badly as the options say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from voiceloop.sim.twilio_web import WebhookFault
from voiceloop.twilio.rest_records import FINAL

if TYPE_CHECKING:
    from voiceloop.sim.twilio_exchange import Exchange

__all__ = ["Callbacks", "Form"]

Form = list[tuple[str, str]]


class Callbacks:
    """What an application is told of a call, one thing after the other."""

    def __init__(self, exchange: Exchange, call_sid: str) -> None:
        self._exchange = exchange
        self._sid = call_sid
        self._held: tuple[str, Form] | None = None
        self._posting: asyncio.Task[Any] | None = None

    def status(self, url: str, status: str, form: Form) -> None:
        """Tell of a status."""
        options = self._exchange.options
        if status in options.callbacks_lost:
            return
        if not options.callbacks_swapped:
            self.post(url, form, twice=options.callbacks_twice, late=options.callbacks_late)
        elif self._held is None and status not in FINAL:
            self._held = url, form
        else:
            held, self._held = self._held, None
            self.post(url, form)
            if held is not None:
                self.post(*held)

    def detected(self, url: str, form: Form) -> None:
        """Tell who has answered. That goes its own way, and waits for no status."""
        options = self._exchange.options
        if url and not options.detection_lost:
            posting = self._post_after(None, url, form, 2 if options.detection_twice else 1, options.callbacks_late)
            self._exchange.spawn(posting, f"detection of {self._sid}")

    def post(self, url: str, form: Form, *, twice: bool = False, late: float = 0.0) -> None:
        """Send a form behind all others of the call."""
        posting = self._post_after(self._posting, url, form, 2 if twice else 1, late)
        self._posting = self._exchange.spawn(posting, f"status callback of {self._sid}")

    async def sent(self) -> None:
        """Wait until all are sent."""
        if self._posting is not None:
            await asyncio.wait([self._posting])

    async def _post_after(
        self, before: asyncio.Task[Any] | None, url: str, form: Form, times: int, late: float
    ) -> None:
        if late:
            await asyncio.sleep(late)
        if before is not None:
            await asyncio.wait([before])
        for _ in range(times):
            try:
                await self._exchange.web.post(url, form)
            except WebhookFault as fault:
                self._exchange.alert(fault.code, str(fault), self._sid)
