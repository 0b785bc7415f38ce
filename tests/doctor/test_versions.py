"""Which packages are there, and of which versions."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from voiceloop.doctor import versions
from voiceloop.doctor.versions import check_versions

NEEDS = ["aiohttp<4,>=3.11", "anthropic<3,>=2.12; extra == 'anthropic'", "pytest>=8; extra == 'test'"]


@pytest.mark.parametrize(
    ("installed", "states", "said"),
    [
        ({"aiohttp": "3.14.5", "anthropic": "2.12.0"}, ["ok", "ok"], "2.12.0"),
        ({"aiohttp": "3.14.5", "anthropic": "3.0.1"}, ["ok", "warning"], "pip install 'voiceloop[anthropic]'"),
        ({"aiohttp": "3.9.1", "anthropic": "2.12.0"}, ["warning", "ok"], "3.9.1 is installed, <4,>=3.11 is wanted"),
        ({"aiohttp": "3.14.5"}, ["ok", "skipped"], "if the bot needs it: pip install 'voiceloop[anthropic]'"),
    ],
)
def test_packages_are_held_to_what_this_library_was_made_for(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], states: list[str], said: str
) -> None:
    def version(package: str) -> str:
        if package not in installed:
            raise PackageNotFoundError(package)
        return installed[package]

    monkeypatch.setattr(versions, "requires", lambda package: NEEDS)
    monkeypatch.setattr(versions, "version", version)
    found = check_versions()[2:]
    assert [finding.state for finding in found] == states
    assert said in " ".join(finding.text for finding in found)
