"""Which of several providers did the work."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Served"]


@dataclass(slots=True, frozen=True)
class Served:
    """What follows in a provider's stream is the work of this one.

    A provider made of others (`voiceloop.fallback.Fallback`) yields it before the first item of each; the report of
    the call counts them (`CallReport.served`), and a switch is noted there as a fault that harmed nobody.
    """

    name: str
    """The class of the provider, with a number when there are several of it."""
    instead_of: str = ""
    """Who should have done it; empty when this one was the first choice."""
    why: str = ""
    """What happened to that one, in a line."""
