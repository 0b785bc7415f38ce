"""One number is one text, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceloop.store import same_number


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+15550001111", "+15550001111"),
        ("+1 (555) 000-1111", "+15550001111"),
        ("+1.555.000.1111", "+15550001111"),
        ("+1\u00a0555\u2011000\u20131111", "+15550001111"),
        (" 15550001111", "+15550001111"),  # a plus that was taken for a space
        ("0015550001111", "+15550001111"),
        ("tel:+1-555-000-1111;ext=5", "+15550001111"),
        ("sip:+15550001111@example.com", "+15550001111"),
        ("sips:+15550001111;npdi@example.com:5061", "+15550001111"),
        ("+442071838750", "+442071838750"),
        ("030 123456", "030123456"),
        ("911", "911"),
        ("12345678901234567890", "12345678901234567890"),
        ("anonymous", "anonymous"),
        ("client:Ann-Lee", "client:Ann-Lee"),
        ("sip:ann@example.com", "sip:ann@example.com"),
        ("+٣٤٥٦٧٨٩", "+٣٤٥٦٧٨٩"),
        ("", ""),
        ("+", "+"),
        (" - ", "-"),
    ],
)
def test_a_number_has_one_form(written: str, number: str) -> None:
    assert same_number(written) == number


@given(st.text())
def test_the_form_of_a_form_is_itself_and_bounded(text: str) -> None:
    form = same_number(text)
    assert same_number(form) == form
    assert len(form) <= 200
    form.encode()
