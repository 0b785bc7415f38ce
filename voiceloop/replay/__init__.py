"""Drives a recorded call through today's pipeline: equal, or where it first does something else."""

from voiceloop.replay.difference import Difference
from voiceloop.replay.run import Replayed, replay

__all__ = ["Difference", "Replayed", "replay"]
