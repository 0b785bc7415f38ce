"""What is set in the environment is told by name; values are not shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceloop.doctor.environment import TWILIO, check_environment, services_of
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.stt.google import GoogleSTT
from voiceloop.testing import script
from voiceloop.tts.cartesia import CartesiaTTS

SECRET = "sk-ant-very-secret"
(ANTHROPIC,) = services_of([AnthropicLLM("any")])


def test_the_services_behind_providers_are_known_each_once() -> None:
    given = [GoogleSTT(), AnthropicLLM("a"), AnthropicLLM("b"), CartesiaTTS("v"), script("own")]
    assert [service.name for service in services_of(given)] == ["Google", "Anthropic", "Cartesia"]


def test_what_is_set_and_what_is_not_is_told_by_name() -> None:
    finding = check_environment(ANTHROPIC, {"ANTHROPIC_API_KEY": SECRET, "OTHER": "x"})
    assert (finding.state, finding.text) == ("ok", "set: ANTHROPIC_API_KEY; not set: ANTHROPIC_BASE_URL")


def test_nothing_set_is_no_verdict_for_the_code_may_pass_the_key() -> None:
    finding = check_environment(ANTHROPIC, {"ANTHROPIC_API_KEY": "  "})
    assert (finding.state, finding.text) == ("skipped", "not set: ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL")


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ANTHROPIC_API_KEY": f'"{SECRET}"'}, "ANTHROPIC_API_KEY has quotation marks in its value"),
        ({"ANTHROPIC_API_KEY": f"{SECRET}\n"}, "ANTHROPIC_API_KEY has blanks around its value"),
        ({"ANTHROPIC_API_KEY": "your-api-key"}, "ANTHROPIC_API_KEY seems to hold a text that stands for the key"),
        ({"ANTHROPIC_KEY": SECRET}, "ANTHROPIC_API_KEY is not set, but ANTHROPIC_KEY is"),
        ({"ANTHROPIC_APIKEY": SECRET}, "ANTHROPIC_API_KEY is not set, but ANTHROPIC_APIKEY is"),
    ],
)
def test_slips_are_pointed_out_and_no_value_is_shown(environment: dict[str, str], said: str) -> None:
    finding = check_environment(ANTHROPIC, environment)
    assert finding.state == "warning"
    assert said in finding.text
    assert SECRET not in str(finding)


def test_a_key_file_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    (google,) = services_of([GoogleSTT()])
    missing = check_environment(google, {"GOOGLE_APPLICATION_CREDENTIALS": "/nope/key.json"})
    assert missing.state == "warning"
    assert "GOOGLE_APPLICATION_CREDENTIALS is '/nope/key.json', and there is no such file" in missing.text
    file = tmp_path / "key.json"
    file.write_text("{}")
    assert check_environment(google, {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}).state == "ok"
    assert check_environment(google, {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path)}).state == "warning"


@pytest.mark.parametrize(
    ("token", "state"),
    [("0123456789abcdefABCDEF0123456789", "ok"), ("f" * 31, "warning"), ("SK" + "f" * 32, "warning")],
)
def test_an_auth_token_that_can_be_none_is_pointed_out(token: str, state: str) -> None:
    finding = check_environment(TWILIO, {"TWILIO_AUTH_TOKEN": token})
    assert finding.state == state
    assert ("is not 32 hexadecimal digits" in finding.text) is (state == "warning")
    assert token not in finding.text


def test_variables_of_another_purpose_are_not_taken_for_slips() -> None:
    finding = check_environment(TWILIO, {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_REGION": "ie1", "TOKEN": "x"})
    assert finding.state == "ok"
    assert "meant" not in finding.text
