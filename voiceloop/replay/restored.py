"""What a call was before it began, from the header of its recording."""

from __future__ import annotations

from voiceloop.call import Call
from voiceloop.carried import Carried, carry
from voiceloop.errors import VoiceloopError
from voiceloop.flight.brought import TooLong, brought_of
from voiceloop.flight.reader import BadFlight, Flight

__all__ = ["brought", "restore"]


def brought(flight: Flight) -> Carried | None:
    """What the call brought along from the lines before; None when there were none, or no recording said so yet.

    Raises:
        TooLong: it was not kept.
        BadFlight: it cannot be read.
    """
    values = flight.header.get("brought")
    if values is None:
        return None
    try:
        return brought_of(values)
    except TooLong:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, VoiceloopError) as error:
        raise BadFlight(f"{flight.path}: what the call brought along cannot be read: {error}") from None


def restore(call: Call, flight: Flight) -> None:
    """Make a call what it was when its bot was asked for a pipeline; its id and its parties it knows already."""
    call.replayed = True
    call.answered_by = flight.header["call"].get("answered_by", "")
    if flight.header["carrier"]:
        call.carrier = _NoCarrier()
    carried = brought(flight)
    if carried is not None:
        carry(call, carried)


class _NoCarrier:
    """Stands for the account's control of calls; the journal says what came of it."""

    async def transfer(self, call_id: str, to: str) -> None:
        """Nothing is done."""
