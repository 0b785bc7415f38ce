"""Which requests a local server answers: those of its own pages, and of programs that are no browsers."""

from __future__ import annotations

import pytest

from voiceloop.server.guard import is_allowed_host


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "localhost.:80"]
)
def test_loopback_names_are_allowed(host: str) -> None:
    assert is_allowed_host(host, "127.0.0.1")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.7:8080",
        "0.0.0.0:8080",
        "",
        "localhost:8080:9",
        "localhost@evil.example",
        "[::1",
        "localhost/evil",
        "a" * 300,
    ],
)
def test_any_other_name_is_refused(host: str) -> None:
    assert not is_allowed_host(host, "127.0.0.1")


def test_the_name_the_server_listens_on_is_allowed() -> None:
    assert is_allowed_host("agent.lan:8080", "agent.lan")
    assert is_allowed_host("192.168.1.7:8080", "192.168.1.7")
    assert not is_allowed_host("192.168.1.8:8080", "192.168.1.7")


def test_on_all_addresses_digits_are_allowed_and_names_are_not() -> None:
    assert is_allowed_host("192.168.1.7:8080", "0.0.0.0")
    assert is_allowed_host("[fe80::1]:8080", "::")
    assert not is_allowed_host("evil.example:8080", "0.0.0.0")
