"""Faults by seed: whole calls drawn by chance, run in virtual time, checked, and made small when one fails."""

from __future__ import annotations

from voiceloop.testing.chaos.items import GROUPS, BadPlan
from voiceloop.testing.chaos.plan import Plan
from voiceloop.testing.chaos.run import Failure, Outcome, run_plan

__all__ = ["GROUPS", "BadPlan", "Failure", "Outcome", "Plan", "run_plan"]
