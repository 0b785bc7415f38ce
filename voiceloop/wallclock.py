"""The one module that reads the machine's clocks.

For logs and measurements only: a stamp that tells a person when something happened, and the cost of a handler that
blocked the loop. What it returns is never an input to behaviour: every decision takes its time from the event loop,
so that a call runs the same in virtual time. A test enforces that no other module of the package reads a clock.
"""

import time
from datetime import UTC, datetime


def now_iso() -> str:
    """Wall time in UTC, ISO 8601 with milliseconds: `2025-03-01T12:00:00.000+00:00`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def unix() -> float:
    """Wall time in seconds since the epoch."""
    return time.time()


def perf_counter() -> float:
    """Seconds on a monotonic clock of high resolution, of which only differences mean anything."""
    return time.perf_counter()


def thread_time() -> float:
    """Seconds that a processor has worked for the thread that asks, of which only differences mean anything."""
    return time.thread_time()


def process_time() -> float:
    """Seconds that processors have worked for this process, of which only differences mean anything."""
    return time.process_time()
