"""What would have been, had an option been set otherwise: a recorded call with live timers."""

from voiceloop.replay.what_if.outcome import WhatIf
from voiceloop.replay.what_if.run import what_if
from voiceloop.replay.what_if.settings import BadSetting

__all__ = ["BadSetting", "WhatIf", "what_if"]
