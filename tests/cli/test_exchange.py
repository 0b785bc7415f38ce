"""The way in for ``voiceloop sim call``: who may order a call, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from voiceloop import LLM, AudioStreamer, Call, EnergyVAD, LLMAggregator, Pipeline, TurnTaking
from voiceloop.cli.exchange import Exchange
from voiceloop.server.phone import PhoneOptions
from voiceloop.server.serve import serving_phone
from voiceloop.sim.twilio import TOKEN, TwilioSim
from voiceloop.sim.voiced import VoicedLexicon
from voiceloop.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, calls

LEXICON = VoicedLexicon()
STT, VOICE = ScriptedSTT(LEXICON), ScriptedTTS(LEXICON)
MODEL = ScriptedLLM(lambda messages: f"You said: {messages[-1].text}")


def bot(call: Call, llm: LLM = MODEL, tools: Sequence[Any] = ()) -> Pipeline:
    brain = LLMAggregator(llm, tools=tools)
    return Pipeline([call.transport, EnergyVAD(), STT, TurnTaking("Hello."), brain, VOICE, AudioStreamer()])


@asynccontextmanager
async def exchange(
    *lines: tuple[str, bool], bot: Any = bot
) -> AsyncIterator[tuple[TwilioSim, aiohttp.ClientSession, str]]:
    """A bot that is served, the exchange, a session with it, and the bot's webhook."""
    twilio = TwilioSim(voice=VOICE)
    phone = PhoneOptions(public_url="http://127.0.0.1:8080", auth_token=TOKEN)
    async with (
        twilio.listening(),
        serving_phone(bot, port=8080, options=phone) as serving,
        Exchange(twilio, LEXICON, lines).listening(0) as url,
        aiohttp.ClientSession(url) as session,
    ):
        yield twilio, session, f"{serving.public_url}/voice"


async def events(session: aiohttp.ClientSession, order: Any) -> list[dict[str, Any]]:
    async with session.post("/calls", json=order) as response:
        assert response.status == 200
        return [json.loads(line) async for line in response.content]


async def test_a_call_is_told_as_it_goes_and_recorded() -> None:
    async with exchange() as (_, session, webhook):
        told = await events(session, {"url": webhook, "lines": [{"shown": "Two teas."}]})
        call = told[-1].pop("call")
        async with session.get(f"/calls/{call}.wav") as response:
            recording = await response.read()
    greeting, said, answer, over = told
    assert (greeting, said, over) == (
        {"heard": "Hello.", "after": None},
        {"said": "Two teas."},
        {"over": "hung up"},
    )
    assert answer["heard"] == "You said: Two teas."
    assert 0.35 <= answer["after"] < 0.65
    assert recording.startswith(b"RIFF")


async def test_without_lines_the_caller_says_those_of_the_conversation() -> None:
    async with exchange(("A tea.", False)) as (_, session, webhook):
        told = await events(session, {"url": webhook})
    assert [event["said"] for event in told if "said" in event] == ["A tea."]


@pytest.mark.parametrize(("patience", "waits"), [(3, True), (0.9, False)])
async def test_an_agent_that_asks_for_a_moment_is_given_it(patience: float, waits: bool) -> None:
    async def price(drink: str) -> str:
        """What it costs."""
        await asyncio.sleep(4.5)
        return "four"

    llm = ScriptedLLM([calls("price", drink="tea"), "It is four.", "Goodbye."])
    async with exchange(bot=lambda call: bot(call, llm, [price])) as (_, session, webhook):
        order = {"url": webhook, "lines": [{"shown": "A price?"}, {"shown": "Thanks."}], "patience": patience}
        told = await events(session, order)
    heard = [event.get("heard", event.get("said")) for event in told[:-1]]
    assert heard[:3] == ["Hello.", "A price?", "One moment, please."]
    assert (heard[3] == "It is four.") is waits
    assert (heard[3] == "Thanks.") is not waits


async def test_an_agent_that_only_says_such_words_back_is_not_waited_for() -> None:
    async with exchange() as (_, session, webhook):
        began = asyncio.get_running_loop().time()
        order = {"url": webhook, "lines": [{"shown": "One moment, please."}]}
        took = []
        for patience in (0, 30):
            told = await events(session, order | {"patience": patience})
            took.append(asyncio.get_running_loop().time() - began)
            began += took[-1]
    assert told[2]["heard"] == "You said: One moment, please."
    assert took[1] == pytest.approx(took[0], abs=0.5)


async def test_keys_are_pressed_and_answered() -> None:
    async with exchange() as (_, session, webhook):
        lines = [{"shown": "A tea."}, {"shown": "keys: 12 34#"}, {"shown": "Bye."}]
        told = await events(session, {"url": webhook, "lines": lines})
    assert [next(iter(event.items())) for event in told[2:5]] == [
        ("heard", "You said: A tea."),
        ("pressed", "1234#"),
        ("heard", "You said: [keys: 1234]"),
    ]
    assert 0 <= told[4]["after"] < 0.5  # from the last key


async def test_a_transfer_is_told_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = ScriptedLLM([("I connect you.", calls("transfer", to="+15550100000")), ""])
    twilio = TwilioSim(voice=VOICE)
    async with twilio.listening() as rest:
        for name, value in {
            "TWILIO_ACCOUNT_SID": twilio.account_sid,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_KEY": "",
            "TWILIO_BASE_URL": rest,
        }.items():
            monkeypatch.setenv(name, value)
        phone = PhoneOptions(public_url="http://127.0.0.1:8080")
        async with (
            serving_phone(lambda call: bot(call, llm, [call.transfer]), port=8080, options=phone),
            Exchange(twilio, LEXICON, ()).listening(0) as url,
            aiohttp.ClientSession(url) as session,
        ):
            order = {"url": "http://127.0.0.1:8080/voice", "lines": [{"shown": "A person, please."}]}
            told = await events(session, order)
    assert [event["heard"] for event in told if "heard" in event] == ["Hello.", "I connect you."]
    assert told[-2] == {"transferred": "+15550100000"}


async def test_a_caller_whose_process_goes_hangs_up() -> None:
    async with exchange() as (twilio, session, webhook):
        order = {"url": webhook, "lines": [{"shown": "Two teas."}] * 20}
        response = await session.post("/calls", json=order)
        await response.content.readline()
        response.close()
        await asyncio.sleep(3)
        (call,) = twilio.calls.values()
        assert call.status == "completed"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, "{}", 415),  # a page of another site can send that
        ({"Content-Type": "application/json", "Origin": "https://evil.example.com"}, "{}", 403),
        ({"Content-Type": "application/json", "Host": "evil.example.com"}, "{}", 403),
        ({"Content-Type": "application/json"}, "no JSON", 400),
        ({"Content-Type": "application/json"}, "[]", 400),
        ({"Content-Type": "application/json"}, '{"lines": [{}]}', 400),
        ({"Content-Type": "application/json"}, '{"patience": NaN}', 400),
        ({"Content-Type": "application/json"}, '{"lines": [{"shown": "keys: one"}]}', 400),
        ({"Content-Type": "application/json"}, '{"lines": [{"shown": "a", "audio": "?"}]}', 400),
        ({"Content-Type": "application/json"}, json.dumps({"lines": [{"shown": "a"}] * 201}), 400),
    ],
)
async def test_what_is_no_order_of_this_machine_is_refused(headers: dict[str, str], body: str, status: int) -> None:
    async with exchange() as (twilio, session, _):
        async with session.post("/calls", data=body, headers=headers) as response:
            assert response.status == status
        assert twilio.calls == {}


async def test_there_is_no_recording_of_what_was_no_call() -> None:
    async with exchange() as (_, session, _), session.get("/calls/CA1.wav") as response:
        assert response.status == 404
