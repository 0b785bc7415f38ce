"""How a simulated carrier behaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voiceloop.sim.line_faults import LineFault

__all__ = ["CarrierOptions"]


@dataclass(frozen=True, kw_only=True)
class CarrierOptions:
    """How this carrier behaves. The defaults are what Twilio's documentation says, without a network between."""

    seed: int = 0
    """Of the ids and the jitter. The same seed gives the same call."""
    delay_to_server: float = 0.0
    """One way, carrier to agent, seconds."""
    delay_from_server: float = 0.0
    """One way, agent to carrier, seconds."""
    jitter: float = 0.0
    """Up to this much on top of either delay, seconds; order is kept."""
    first_timestamp: int = 0
    """Timestamp of the first media message, milliseconds. Twilio's need not be 0."""
    drop_stop: bool = False
    """Close the socket without a ``stop`` message, as an abrupt hang-up may."""
    echo_on_clear: bool = True
    """Whether ``clear`` echoes the pending marks."""
    buffer_seconds: float = 600.0
    """Outbound audio held at most, seconds; the excess is discarded (31931)."""
    is_answer_end: Callable[[str], bool] = lambda name: name.startswith("end:")
    """Says of a mark's name that an answer ends there; running dry behind it is no hole."""
    faults: tuple[LineFault, ...] = ()
    """What goes wrong in this call."""
