"""The flight recorder: one file per call, from which the call can be driven again (see `voiceloop.replay`)."""

from voiceloop.flight.options import FlightOptions
from voiceloop.flight.reader import BadFlight, Flight, read_flight

__all__ = ["BadFlight", "Flight", "FlightOptions", "read_flight"]
