"""`GoogleSTT` as a user builds it: settings, languages, endpoints, credentials."""

# ruff: noqa: E501  texts as the service says them

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.cloud.speech_v2", reason="needs voiceloop[google]")

from aiohttp import web
from google.auth import exceptions as auth_errors
from google.oauth2.credentials import Credentials

from voiceloop.errors import MissingExtra, ModelError
from voiceloop.language import LanguageError
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.google import GoogleSpeechSim
from voiceloop.sim.loop import run_virtual
from voiceloop.stt.base import Flush, Transcript
from voiceloop.stt.google import GoogleOptions, GoogleSTT, SpeechRefused
from voiceloop.stt.google_client import target_of

LEXICON = Lexicon()
AUDIO = LEXICON.speak("a mocha please")[0] + b"\xff" * 2400
VARIABLES = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GOOGLE_SPEECH_ENDPOINT")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without Google."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


async def hear(stt: GoogleSTT) -> str:
    async def line() -> Any:
        for at in range(0, len(AUDIO), 800):
            await asyncio.sleep(0.02)
            yield AUDIO[at : at + 800]
        yield Flush()

    text = ""
    async for item in stt.transcribe(line()):
        if isinstance(item, Transcript):
            text = item.text
    return text


# --- settings ---


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_settings_reach_the_service(version: Any) -> None:
    sim = GoogleSpeechSim(LEXICON)
    stt = GoogleSTT(
        "shop",
        version=version,
        model="latest_long",
        language="de",
        location="eu",
        hints=["mocha", "latte"],
        channel=sim.channel,
    )
    assert await hear(stt) == "a mocha please"
    await stt.aclose()
    config = sim.streams[0].config
    assert config is not None
    assert (config.language, config.model, config.interim, config.word_times) == ("de-DE", "latest_long", True, True)
    assert config.hints == ("mocha", "latte")
    assert config.recognizer == ("" if version == "v1" else "projects/shop/locations/eu/recognizers/_")


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("en", "en-US"), ("en-GB", "en-GB"), ("de", "de-DE"), ("pt", "pt-BR"), ("pt-PT", "pt-PT"), ("ja", "ja-JP"), ("sw", "sw")],
)  # fmt: skip
def test_a_language_without_a_region_gets_the_usual_one(asked: str, sent: str) -> None:
    stt = GoogleSTT(language="nl")
    assert stt.for_language(asked).language == sent
    assert stt.for_language(asked) is stt.for_language(asked)
    assert stt.for_language(asked).client is stt.client


def test_the_own_language_is_the_object_itself_and_a_region_that_was_chosen_stays() -> None:
    stt = GoogleSTT(language="en-GB")
    assert stt.for_language("en") is stt
    assert stt.for_language("en-GB") is stt
    assert stt.for_language("en-AU").language == "en-AU"
    german = stt.for_language("de")
    assert german.for_language("en-GB") is stt
    assert german.for_language("de-AT") is stt.for_language("de-AT")
    with pytest.raises(LanguageError):
        stt.for_language("english please")


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: GoogleSTT(version="v3"), "expected version 'v2' or 'v1', got 'v3'"),  # type: ignore[arg-type]
        (lambda: GoogleSTT(endpoint="ftp://x"), "expected an endpoint like"),
        (lambda: GoogleSTT(endpoint="https://host/path"), "expected an endpoint like"),
        (lambda: GoogleSTT(endpoint="https://user:hidden@host"), "got 'host'"),
        (lambda: GoogleOptions(roll_after=280, roll_by=250), "roll_after <= roll_by <= 295, got 280 and 250"),
        (lambda: GoogleOptions(tries=0), "tries of 1 or more"),
        (lambda: GoogleOptions(settle="soon"), "expected settle"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused_when_built(build: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        build()


def test_hints_given_as_one_text_are_a_slip() -> None:
    with pytest.raises(TypeError, match="put it in a tuple"):
        GoogleSTT(hints="mocha")


@pytest.mark.parametrize(
    ("endpoint", "location", "address", "secure"),
    [
        ("", "global", "speech.googleapis.com", True),
        ("", "eu", "eu-speech.googleapis.com", True),
        ("http://127.0.0.1:9000", "global", "127.0.0.1:9000", False),
        ("http://[::1]:9000", "global", "[::1]:9000", False),
        ("us-speech.googleapis.com", "global", "us-speech.googleapis.com", True),
        ("https://proxy.example:8443/", "eu", "proxy.example:8443", True),
    ],
)
def test_where_the_service_is(endpoint: str, location: str, address: str, secure: bool) -> None:
    target = target_of(endpoint, location)
    assert (str(target), target.secure) == (address, secure)


# --- the way there ---


@pytest.mark.realtime
async def test_the_endpoint_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = GoogleSpeechSim(LEXICON, timing="fast")
    async with sim.listening() as endpoint:
        monkeypatch.setenv("GOOGLE_SPEECH_ENDPOINT", endpoint)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-the-environment")
        stt = GoogleSTT()
        assert await hear(stt) == "a mocha please"
        await stt.aclose()
    config = sim.streams[0].config
    assert config is not None
    assert config.recognizer == "projects/from-the-environment/locations/global/recognizers/_"
    await no_tasks()


@pytest.mark.realtime
@pytest.mark.parametrize(("token", "works"), [("right", True), ("wrong", False)])
async def test_a_token_is_shown_to_a_server_on_this_machine(token: str, works: bool) -> None:
    sim = GoogleSpeechSim(LEXICON, timing="fast", key="right")
    async with sim.listening() as endpoint:
        stt = GoogleSTT("p", endpoint=endpoint, credentials=Credentials(token))  # type: ignore[no-untyped-call]
        if works:
            assert await hear(stt) == "a mocha please"
        else:
            with pytest.raises(SpeechRefused, match="the credentials are not accepted") as refused:
                await hear(stt)
            assert token not in str(refused.value)
        await stt.aclose()
    await no_tasks()


async def no_tasks() -> None:
    """gRPC's server leaves its own tasks on the loop until it was collected."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)


@pytest.mark.realtime
async def test_a_server_that_is_not_there_is_said_so() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stt = GoogleSTT("p", endpoint=f"http://127.0.0.1:{port}", options=GoogleOptions(tries=1, backoff=0.0))
    with pytest.raises(SpeechRefused, match="cannot be reached or fails: check the network and the endpoint"):
        await hear(stt)
    await stt.aclose()


@pytest.mark.realtime
async def test_tls_to_a_server_without_it_is_given_up() -> None:
    """Google's client would try for ever."""
    sim = GoogleSpeechSim(LEXICON)
    async with sim.listening() as endpoint:
        stt = GoogleSTT(
            "p",
            endpoint=endpoint.replace("http:", "https:"),
            credentials=Credentials("token"),  # type: ignore[no-untyped-call]
            options=GoogleOptions(tries=1, connect=0.3),
        )
        with pytest.raises(SpeechRefused):
            await hear(stt)
        await stt.aclose()
    await no_tasks()


def test_one_provider_serves_one_loop_after_another_but_not_two_at_once() -> None:
    sim = GoogleSpeechSim(LEXICON)
    stt = GoogleSTT(channel=sim.channel)
    for _ in range(2):
        assert run_virtual(hear(stt)) == "a mocha please"

    async def other() -> str:
        return await asyncio.to_thread(asyncio.run, hear(stt))

    async def both() -> None:
        await stt.warm()
        with pytest.raises(ModelError, match="another event loop"):
            await other()
        await stt.aclose()

    asyncio.run(both())


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from voiceloop import errors

    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"GoogleSTT needs the package google: pip install 'voiceloop\[google\]'"):
        run_virtual(GoogleSTT().warm())


def test_importing_it_loads_nothing_of_google() -> None:
    code = (
        "import sys; from voiceloop.stt.google import GoogleSTT; GoogleSTT('p');"
        "print([m for m in sys.modules if m == 'grpc' or m.startswith('google.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- credentials ---


@pytest.mark.realtime
async def test_without_credentials_it_says_which_variable_to_set() -> None:
    with pytest.raises(SpeechRefused, match="no credentials for Google: set GOOGLE_APPLICATION_CREDENTIALS"):
        await GoogleSTT("p").warm()


@pytest.mark.realtime
async def test_a_key_file_that_is_not_there_or_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for text in (None, "{", "{}"):
        file = tmp_path / "key.json"
        if text is not None:
            file.write_text(text)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        with pytest.raises(SpeechRefused, match=r"no credentials for Google: .*key\.json"):
            await GoogleSTT("p").warm()


class Given:
    """Credentials whose token service says no."""

    valid = False
    token = None

    def __init__(self, error: Exception) -> None:
        self._error = error

    def refresh(self, request: object) -> None:
        raise self._error


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.", "the clock of this machine is wrong; set it"),
        ("invalid_grant: Invalid JWT Signature.", "make a new one"),
        ("invalid_grant: Bad Request", "the key is not accepted"),
    ],
)  # fmt: skip
async def test_a_refused_token_is_explained_before_the_first_call(text: str, said: str) -> None:
    with pytest.raises(SpeechRefused, match=said):
        await GoogleSTT("p", credentials=Given(auth_errors.RefreshError(text))).warm()


@pytest.mark.realtime
async def test_a_users_login_whose_token_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With google-auth in between, and a token service of our own."""

    async def refuse(request: web.Request) -> web.Response:
        body = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
        return web.json_response(body, status=400)

    app = web.Application()
    app.router.add_post("/token", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    credentials = Credentials(  # type: ignore[no-untyped-call]
        None, refresh_token="r", token_uri=url, client_id="c", client_secret="hidden"
    )
    try:
        with pytest.raises(SpeechRefused, match="the key is not accepted") as refused:
            await GoogleSTT("p", credentials=credentials).warm()
        assert "hidden" not in str(refused.value)
    finally:
        await runner.cleanup()


@pytest.mark.realtime
async def test_v2_without_a_project_says_so() -> None:
    with pytest.raises(SpeechRefused, match="no project: set GOOGLE_CLOUD_PROJECT"):
        await GoogleSTT(credentials=Credentials("token")).warm()  # type: ignore[no-untyped-call]


@pytest.mark.realtime
async def test_a_service_accounts_key_signs_its_own_token_and_names_the_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    file = tmp_path / "key.json"
    file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "of-the-key",
                "private_key_id": "1",
                "private_key": pem,
                "client_email": "bot@of-the-key.iam.gserviceaccount.com",
                "client_id": "1",
                "token_uri": "http://127.0.0.1:1/never-asked",
            }
        )
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    stt = GoogleSTT()
    await stt.warm()
    assert (stt.client.project, stt.client.host) == ("of-the-key", "speech.googleapis.com")
    assert pem[30:60] not in repr(stt.client)
    await stt.aclose()
