"""The watchdogs: what a call waits for, and what it does when that does not come.

=================  ==================================================  ==========================================
Kind               Nothing came of                                     Limit
=================  ==================================================  ==========================================
``no_transcript``  words for what the caller said                      `TurnOptions.settle_limit`, `.speech_limit`
``model_silent``   an answer's first sound                             `TurnOptions.model_limit`
``voice_silent``   more sound of an answer that had begun              `PlayoutOptions.voice_limit`
``no_mark``        the echo of a mark that was sent                    `PlayoutOptions.echo_limit`, `.fence_limit`
``no_audio``       any message from the carrier                        `TransportOptions.silence`
``loop_held``      control back to the event loop                      `PlayoutOptions.held_limit`
=================  ==================================================  ==========================================

Each of them is a limit, a way out that the caller can hear (or a clean end), one `Watchdog` frame that every processor
and observer sees, and a count in `CallReport.watchdogs`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Final, Literal

from voiceloop.frames import Watchdog

if TYPE_CHECKING:
    from voiceloop.answer import Answer
    from voiceloop.call import Call

__all__ = ["KINDS", "Kind", "bark", "split_counts"]

Kind = Literal["no_transcript", "model_silent", "voice_silent", "no_mark", "no_audio", "loop_held"]
KINDS: Final[tuple[Kind, ...]] = (
    "no_transcript",
    "model_silent",
    "voice_silent",
    "no_mark",
    "no_audio",
    "loop_held",
)
"""All kinds, in the order of a turn."""
_PREFIX: Final = "watchdog."


def bark(
    call: Call, kind: Kind, waited: float, limit: float, *, answer: Answer | None = None, detail: str = ""
) -> None:
    """Tell everybody that something did not come in time, and count it. What follows from it is the caller's to do.

    While the call runs the counts stand in ``call.usage`` as ``watchdog.<kind>``; the report has them apart.

    Args:
        call: the call that waited.
        kind: what for.
        waited: how long, seconds.
        limit: what the watchdog was set to, seconds.
        answer: the answer it is about.
        detail: one line for a person.
    """
    call.usage[_PREFIX + kind] += 1
    if call.log is not None:
        call.log.add(call.now, "watchdog", f"{kind} after {waited:.3f} s {detail}".rstrip())
    call.broadcast(Watchdog(kind, waited, limit, answer, detail, call.now))


def split_counts(usage: MutableMapping[str, float]) -> dict[str, int]:
    """Take the watchdogs' counts out of a call's counts."""
    return {kind: int(usage.pop(_PREFIX + kind)) for kind in KINDS if _PREFIX + kind in usage}
