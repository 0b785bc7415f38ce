"""Providers that stand in for each other."""

from __future__ import annotations

from voiceloop.fallback.build import Fallback
from voiceloop.fallback.options import FallbackFailed, FallbackOptions

__all__ = ["Fallback", "FallbackFailed", "FallbackOptions"]
