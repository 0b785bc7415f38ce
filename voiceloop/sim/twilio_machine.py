"""Who answers at a simulated number, and what Twilio's detection of answering machines makes of it.

Values and tunables: https://www.twilio.com/docs/voice/answering-machine-detection
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Detection", "Machine", "Verdict", "beep"]

RATE: Final = 8000
_SILENCE: Final = b"\xff"
_BEEP: Final = 1000.0
"""Pitch of a machine's beep, Hz."""
_HELLO: Final = 0.6
"""Seconds that a person's "Hello?" takes, and how long after lifting the receiver it begins."""
_LIFTED: Final = 0.4
_FAX: Final = 2.0
"""Seconds until the tone of a fax is told from speech."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """An answering machine: speaks its greeting, beeps, and records.

    What was left on it is `voiceloop.sim.twilio.SimCall.message`.
    """

    greeting: str | bytes = b""
    """What it says: mu-law, or a text in the simulator's voice. Without any it hums for `greets` seconds."""
    greets: float = 6.0
    """Seconds of the greeting, when none is given."""
    after: float = 0.5
    """Seconds of silence before the greeting, and before the beep."""
    beeps: float = 0.4
    """Seconds of the beep; 0: it has none."""
    records: float = 120.0
    """Seconds that it records at most; then it hangs up."""

    def tape(self, greeting: bytes) -> bytes:
        """All that it plays from when it answers to where it begins to record: mu-law, 8000 Hz."""
        from voiceloop.sim.line_sounds import hum

        speech = greeting or hum(self.greets)
        pause = _SILENCE * round(self.after * RATE)
        return b"".join((pause, speech, pause, beep(self.beeps)))


def beep(seconds: float) -> bytes:
    """The tone of an answering machine: mu-law, 8000 Hz."""
    import numpy as np

    from voiceloop.audio.mulaw import encode

    wave = np.sin(2 * np.pi * _BEEP / RATE * np.arange(round(seconds * RATE)))
    return encode((8000 * wave).astype(np.int16))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the detection finds, and when."""

    answered_by: str
    """``human``, ``fax``, ``unknown``, ``machine_start``, ``machine_end_beep``, ``machine_end_silence``, …"""
    after: float
    """Seconds from the answer."""


@dataclass(frozen=True, slots=True)
class Detection:
    """What the order to call says about it."""

    form: Mapping[str, str]

    @property
    def wanted(self) -> bool:
        """Whether it is made at all. Keys that are sent cancel it."""
        return self.form.get("MachineDetection", "") in ("Enable", "DetectMessageEnd") and not self.form.get(
            "SendDigits"
        )

    @property
    def beside(self) -> bool:
        """Whether it runs beside the call; else the call waits for it."""
        return self.form.get("AsyncAmd", "false").lower() == "true"

    @property
    def callback(self) -> str:
        """URL that is told what was found, when it runs beside the call."""
        return self.form.get("AsyncAmdStatusCallback", "")

    @property
    def limit(self) -> float:
        """Seconds after which it is given up: ``unknown``."""
        return float(self.form.get("MachineDetectionTimeout", "30"))

    def verdict(self, who: str, machine: Machine | None, tape: bytes) -> Verdict:
        """What it finds.

        Args:
            who: answers in truth: ``human``, ``silent``, ``fax``, or one of Twilio's values, which is then found.
            machine: that answers.
            tape: of the machine.
        """
        found = self._found(who, machine, len(tape) / RATE)
        return found if found.after <= self.limit else Verdict("unknown", self.limit)

    def _found(self, who: str, machine: Machine | None, tape: float) -> Verdict:
        heard_out = self._ms("MachineDetectionSpeechEndThreshold", 1200)
        if machine is None:
            settled = _LIFTED + _HELLO + heard_out
            known = {
                "human": Verdict("human", settled),
                "silent": Verdict("unknown", self._ms("MachineDetectionSilenceTimeout", 5000)),
                "fax": Verdict("fax", _FAX),
            }
            return known.get(who) or Verdict(who, settled)
        speech = tape - 2 * machine.after - machine.beeps
        threshold = self._ms("MachineDetectionSpeechThreshold", 2400)
        if speech < threshold:  # so short a greeting passes for a person's
            return Verdict("human", machine.after + speech + heard_out)
        if self.form["MachineDetection"] == "Enable":
            return Verdict("machine_start", machine.after + threshold)
        if machine.beeps:
            return Verdict("machine_end_beep", tape)
        return Verdict("machine_end_silence", machine.after + speech + heard_out)

    def _ms(self, name: str, default: int) -> float:
        return int(self.form.get(name, str(default))) / 1000
