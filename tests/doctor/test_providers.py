"""Each provider is asked for a little work: what is wrong with it is told, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from voiceloop import LLM
from voiceloop.doctor.finding import Finding
from voiceloop.doctor.providers import PHRASE, check_providers, members
from voiceloop.fallback import Fallback
from voiceloop.llm.anthropic import AnthropicLLM
from voiceloop.sim.anthropic import AnthropicSim, Reply
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.cartesia import CartesiaSim, CartesiaSimOptions
from voiceloop.sim.google import Fault, GoogleSpeechSim
from voiceloop.sim.services import Services
from voiceloop.stt.google import GoogleSTT
from voiceloop.testing import Failing, ScriptedLLM, ScriptedSTT, ScriptedTTS
from voiceloop.tts.cartesia import CartesiaTTS

Open = Callable[..., AbstractAsyncContextManager[Services]]
MODEL, VOICE = "claude-haiku-5-5", "a0e99841-438c-4a64-b679-ae501e7d6091"


async def found(*providers: Any) -> list[Finding]:
    return [finding async for finding in check_providers(providers)]


async def told(provider: Any) -> Finding:
    (finding,) = await found(provider)
    return finding


async def test_all_is_well_with_right_keys(services: Open) -> None:
    async with services() as all_of_them:
        stt = GoogleSTT(channel=all_of_them.google.channel)
        findings = await found(stt, AnthropicLLM(MODEL), CartesiaTTS(VOICE))
    assert [(finding.what, finding.state) for finding in findings] == [
        ("CartesiaTTS", "ok"),
        ("GoogleSTT", "ok"),
        ("AnthropicLLM", "ok"),
    ]
    assert findings[0].seconds == pytest.approx(0.09, abs=0.05)
    assert findings[1].text == f"it heard {PHRASE!r}"  # what the voice has said
    assert findings[2].seconds == pytest.approx(0.3, abs=0.05)


async def test_without_keys_each_service_names_its_variable() -> None:
    findings = await found(AnthropicLLM(MODEL), CartesiaTTS(VOICE))
    assert {finding.state for finding in findings} == {"wrong"}
    assert "set the environment variable CARTESIA_API_KEY" in findings[0].text
    assert "set the environment variable ANTHROPIC_API_KEY" in findings[1].text


async def test_wrong_keys_are_told_for_each_and_not_shown(services: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with services():
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-wrong-one")
        monkeypatch.setenv("CARTESIA_API_KEY", "sk_car_wrong-one")
        findings = await found(AnthropicLLM(MODEL), CartesiaTTS(VOICE))
    voice, model = findings
    assert [finding.state for finding in findings] == ["wrong", "wrong"]
    assert "does not accept the key (401)" in voice.text
    assert "play.cartesia.ai/keys" in voice.text
    assert "the key is not accepted (401)" in model.text
    assert "was it revoked, or copied in part?" in model.text
    assert "wrong-one" not in f"{findings}"


@pytest.mark.parametrize(
    ("key", "owner"), [("sk-ant-wrong", "Anthropic"), ("sk-proj-wrong", "OpenAI"), ("sk-or-v1-wrong", "OpenRouter")]
)
async def test_a_key_of_somebody_else_is_known_by_its_beginning(
    services: Open, monkeypatch: pytest.MonkeyPatch, key: str, owner: str
) -> None:
    async with services():
        monkeypatch.setenv("CARTESIA_API_KEY", key)
        finding = await told(CartesiaTTS(VOICE))
    assert "does not accept the key (401)" in finding.text
    assert f"this looks like a key of {owner}" in finding.text
    assert key not in finding.text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(code="UNAUTHENTICATED"), "the credentials are not accepted: check GOOGLE_APPLICATION_CREDENTIALS"),
        (Fault(code="PERMISSION_DENIED"), "the Speech-to-Text API is not enabled in project"),
        (Fault(code="RESOURCE_EXHAUSTED"), "is used up: ask for more under IAM & Admin"),
        (Fault(code="UNAVAILABLE"), "the service cannot be reached or fails: check the network and the endpoint"),
        (
            Fault(
                code="UNAUTHENTICATED",
                text="Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim.",
            ),
            "the clock of this machine is wrong; set it (NTP)",
        ),
    ],
)
async def test_what_google_refuses_is_explained(fault: Fault, said: str) -> None:
    lexicon = Lexicon()
    sim = GoogleSpeechSim(lexicon, faults=lambda number: fault)
    findings = await found(ScriptedTTS(lexicon), GoogleSTT("shop", channel=sim.channel))
    assert findings[1].state == "wrong"
    assert said in findings[1].text


async def test_an_unknown_model_of_google_is_told() -> None:
    sim = GoogleSpeechSim(Lexicon())
    finding = await told(GoogleSTT("shop", model="telefony", channel=sim.channel))
    assert finding.state == "wrong"
    assert "there is no model 'telefony' in location 'global'" in finding.text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"voices": ["another"]}, f"it has no voice {VOICE!r} (404)"),
        ({"models": ["sonic-9"]}, "it has no model 'sonic-3' (400)"),
        ({"credit": False}, "no credit is left"),
        ({"concurrency": 0}, "more at once than the plan allows (429)"),
    ],
)
async def test_what_cartesia_refuses_is_explained(options: dict[str, Any], said: str) -> None:
    sim = CartesiaSim(Lexicon(), CartesiaSimOptions(**options))
    async with sim.listening() as url:
        finding = await told(CartesiaTTS(VOICE, base_url=url))
    assert finding.state == "wrong"
    assert said in finding.text


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=402), "there is no credit left (402): buy some under Billing"),
        (Reply(status=403), "the key may not use 'claude-sim'"),
        (Reply(status=529), "the service is overloaded (529)"),
        (Reply(status=429), "too many requests or tokens (429)"),
    ],
)
async def test_what_anthropic_refuses_is_explained(reply: Reply, said: str) -> None:
    async with AnthropicSim([reply]).listening() as url:
        finding = await told(AnthropicLLM("claude-sim", base_url=url))
    assert finding.state == "wrong"
    assert said in finding.text


async def test_an_unknown_model_is_told() -> None:
    async with AnthropicSim(["Hello."]).listening() as url:
        finding = await told(AnthropicLLM("claude-4-haiku", base_url=url))
    assert (finding.what, finding.state) == ("AnthropicLLM", "wrong")
    assert "there is no model 'claude-4-haiku' (404)" in finding.text


async def test_services_that_are_down_do_not_hide_each_other(services: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with services() as all_of_them:
        await all_of_them.cartesia.down()
        await all_of_them.anthropic.down()
        stt = GoogleSTT(channel=all_of_them.google.channel)
        findings = await found(AnthropicLLM(MODEL), stt, CartesiaTTS(VOICE))
    assert [finding.state for finding in findings] == ["wrong", "ok", "wrong"]
    assert "nothing listens there: check base_url" in findings[0].text
    assert findings[1].text == "it listens; no voice could speak to it"
    assert "no connection" in findings[2].text


async def test_a_service_that_never_answers_is_given_up() -> None:
    async with AnthropicSim([Reply(fault="stall")]).listening() as url:
        finding = await told(AnthropicLLM("claude-sim", base_url=url))
    assert finding.state == "wrong"
    assert "within" in finding.text


async def test_a_slow_service_is_a_warning_with_its_time() -> None:
    async with AnthropicSim(["Hello."], first=4.0).listening() as url:
        finding = await told(AnthropicLLM("claude-sim", base_url=url))
    assert finding.state == "warning"
    assert "it writes, but slowly" in finding.text
    assert finding.seconds == pytest.approx(4.0, abs=0.2)


async def test_a_recogniser_that_does_not_understand_the_voice_is_a_warning() -> None:
    findings = await found(ScriptedTTS(Lexicon()), ScriptedSTT(Lexicon()))
    assert findings[1].state == "warning"
    assert findings[1].text.endswith("do voice and recogniser know the same language?")


async def test_artificial_speech_is_offered_as_the_reason_where_a_simulator_may_speak(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARTESIA_BASE_URL", "http://127.0.0.1:7652")
    findings = await found(ScriptedTTS(Lexicon()), ScriptedSTT(Lexicon()))
    said = "the same language, or is this `voiceloop sim` with artificial speech? Use `--speech embedded`."
    assert findings[1].text.endswith(said)


async def test_members_of_a_fallback_are_asked_one_by_one() -> None:
    llm = Fallback([ScriptedLLM(["Hello."], failing=Failing("raise")), ScriptedLLM(["Hello."])])
    assert len(list(members([llm]))) == 2
    assert [finding.state for finding in await found(llm)] == ["wrong", "ok"]


async def test_a_model_without_a_word_is_wrong() -> None:
    finding = await told(ScriptedLLM([""]))
    assert finding.state == "wrong"
    assert "it ended without a word" in finding.text


async def test_providers_are_closed_also_when_they_fail() -> None:
    closed = []

    class Model(LLM):
        async def warm(self) -> None:
            raise RuntimeError("no luck")

        async def aclose(self) -> None:
            closed.append(self)

        async def respond(self, messages: Any, tools: Any = ()) -> Any:
            yield ""

    model = Model()
    assert (await told(model)).text == "RuntimeError: no luck"
    assert closed == [model]
