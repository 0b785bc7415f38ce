"""How a simulated carrier behaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voiceloop.sim.checks import check_seconds
from voiceloop.sim.line_fault import Fault
from voiceloop.sim.line_faults import LineFault

__all__ = ["CarrierOptions"]


@dataclass(frozen=True, kw_only=True)
class CarrierOptions:
    """How this carrier behaves. The defaults are what Twilio's documentation says, without a network between.

    Raises `ValueError` for seconds that are negative, and `TypeError` for what is of another kind than it says here.
    """

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

    def __post_init__(self) -> None:
        for name in ("delay_to_server", "delay_from_server", "jitter", "buffer_seconds"):
            check_seconds(f"CarrierOptions: {name} must be", getattr(self, name))
        for name in ("seed", "first_timestamp"):
            if not isinstance(value := getattr(self, name), int):
                raise TypeError(f"CarrierOptions: {name} must be a whole number, got {value!r}")
        if not callable(self.is_answer_end):
            raise TypeError(f"CarrierOptions: is_answer_end must be a function of a name, got {self.is_answer_end!r}")
        if not isinstance(self.faults, tuple | list):
            raise TypeError(f"CarrierOptions: faults must be a tuple of faults of the line, got {self.faults!r}")
        for fault in self.faults:
            if not isinstance(fault, Fault):
                raise TypeError(
                    "CarrierOptions: faults must be faults of the line, such as "
                    f"Late(at=3.0, length=0.5, by=0.3), got {fault!r}"
                )
