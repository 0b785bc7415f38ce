"""Which packages are installed, and whether they are of the versions that this library was made for."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version

from voiceloop import __version__
from voiceloop.doctor.finding import Finding

__all__ = ["check_versions"]

_REQUIREMENT = re.compile(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?\s*([^;]*)(?:;.*extra == ['\"]([a-z]+)['\"])?")
_BOUND = re.compile(r"(>=|<|==)\s*([0-9][0-9.]*)")
_PYTHON = (3, 11)
USER_EXTRAS = ("local", "silero", "text", "picture", "tools", "anthropic", "google", "pipecat")


def check_versions() -> list[Finding]:
    """Python, this library, and what is installed of its requirements. What is not there is not wanted, perhaps."""
    python = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= _PYTHON
    found = [Finding("Python", "ok" if good else "wrong", python if good else f"{python}: 3.11 or later is needed")]
    found.append(Finding("voiceloop", "ok", __version__))
    missing: dict[str, list[str]] = {}
    seen: set[str] = set()
    for text in requires("voiceloop") or ():
        match = _REQUIREMENT.match(text)
        if match is None or match[1] in ("voiceloop", *seen) or (match[3] or "") not in ("", *USER_EXTRAS):
            continue
        seen.add(match[1])
        finding = _check(match[1], match[2], match[3])
        if finding is not None:
            found.append(finding)
        else:
            missing.setdefault(match[3], []).append(match[1])
    for extra, packages in missing.items():
        text = f"not installed ({', '.join(packages)}); if the bot needs it: pip install 'voiceloop[{extra}]'"
        found.append(Finding(f"extra {extra}", "skipped", text))
    return found


def _check(package: str, bounds: str, extra: str | None) -> Finding | None:
    try:
        installed = version(package)
    except PackageNotFoundError:
        return None if extra else Finding(package, "wrong", "not installed: pip install voiceloop")
    if all(_holds(installed, sign, bound) for sign, bound in _BOUND.findall(bounds)):
        return Finding(package, "ok", installed)
    wanted = f"voiceloop[{extra}]" if extra else "voiceloop"
    return Finding(package, "warning", f"{installed} is installed, {bounds.strip()} is wanted: pip install '{wanted}'")


def _holds(installed: str, sign: str, bound: str) -> bool:
    have, want = _numbers(installed), _numbers(bound)
    return {">=": have >= want, "<": have < want, "==": have[: len(want)] == want}[sign]


def _numbers(text: str) -> tuple[int, ...]:
    leading = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(map(int, leading[0].split("."))) if leading else ()
