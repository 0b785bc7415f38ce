"""What each status of Google's service leads to: another try, or an error that says what to do."""

# ruff: noqa: E501  texts as the service says them

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

pytest.importorskip("google.cloud.speech_v2", reason="needs voiceloop[google]")

import grpc
from google.api_core import exceptions

from voiceloop.errors import ModelError
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.google import Fault, GoogleSpeechSim
from voiceloop.stt.base import Flush, Transcript
from voiceloop.stt.google import GoogleOptions, GoogleSTT, SpeechRefused
from voiceloop.stt.google_errors import Status, explained, passing, status_of

LEXICON = Lexicon()
AUTH = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid"
PLUGIN = "Getting metadata from plugin failed with error: "
SKEW = (
    "('invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check "
    "your iat and exp values in the JWT claim.', {'error': 'invalid_grant'})"
)

PASSING = [
    ("OUT_OF_RANGE", "Exceeded maximum allowed stream duration of 305 seconds."),
    ("OUT_OF_RANGE", "Audio Timeout Error: Long duration elapsed without audio. Audio should be sent close to real time."),
    ("OUT_OF_RANGE", "Audio data is being streamed too slow. Please stream audio data approximately at real time."),
    ("ABORTED", "Max duration of 5 minutes reached for stream."),
    ("ABORTED", "Stream timed out after receiving no more client requests."),
    ("UNAVAILABLE", "The service is currently unavailable."),
    ("UNAVAILABLE", "recvmsg:Connection reset by peer"),
    ("INTERNAL", "Received RST_STREAM with error code 2"),
    ("DEADLINE_EXCEEDED", "Deadline Exceeded"),
    ("CANCELLED", "The operation was cancelled."),
    ("UNKNOWN", "Stream removed"),
    ("DATA_LOSS", "lost"),
    ("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Streaming requests'"),
]  # fmt: skip

LASTING = [
    ("UNAUTHENTICATED", AUTH, "the credentials are not accepted: check GOOGLE_APPLICATION_CREDENTIALS"),
    ("UNAUTHENTICATED", "API keys are not supported by this API. Expected OAuth2 access token", "it takes no API key"),
    ("UNAVAILABLE", PLUGIN + SKEW, "the clock of this machine is wrong"),
    ("UNAUTHENTICATED", "('invalid_grant: Invalid JWT Signature.', {})", "it was deleted or belongs to another account"),
    ("UNAVAILABLE", PLUGIN + "HTTPSConnectionPool(host='oauth2.googleapis.com')", "the credentials give no token"),
    ("PERMISSION_DENIED", "Cloud Speech-to-Text API has not been used in project 1 before or it is disabled.", "the Speech-to-Text API is not enabled in project 'p': enable speech.googleapis.com"),
    ("PERMISSION_DENIED", "This API method requires billing to be enabled.", "project 'p' has no billing account"),
    ("PERMISSION_DENIED", "Permission 'speech.recognizers.recognize' denied on resource (or it may not exist).", "give the account the role Cloud Speech Client"),
    ("INVALID_ARGUMENT", 'The model "chirp" does not exist in the location named "global".', "there is no model 'chirp' in location 'global': name another, or another location"),
    ("INVALID_ARGUMENT", "Incorrect model specified: chirp.", "there is no model 'chirp'"),
    ("INVALID_ARGUMENT", 'The language "xx-XX" is not supported by the model "chirp" in the location named "global".', "the model 'chirp' does not know the language 'xx-XX' in location 'global'"),
    ("INVALID_ARGUMENT", "Invalid recognition 'config': bad language code ('xx-XX').", "does not know the language 'xx-XX'"),
    ("INVALID_ARGUMENT", "Recognizer does not support feature: word_time_offsets", "does not have what was asked of it"),
    ("INVALID_ARGUMENT", "Audio chunk can be of a maximum of 25600 bytes.", "the request is refused"),
    ("NOT_FOUND", "Unable to find resource projects/p/locations/mars", "the project or the location 'global' is not known"),
    ("FAILED_PRECONDITION", "nothing known", "the request is refused"),
    ("UNIMPLEMENTED", "Method not found!", "there is no Speech-to-Text there: mend the endpoint"),
    ("ALREADY_EXISTS", "odd", "the service cannot be reached or fails"),
]  # fmt: skip


def every_code() -> set[str]:
    return {code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK}


def test_every_status_is_in_the_tables() -> None:
    assert {code for code, _ in PASSING} | {code for code, _, _ in LASTING} == every_code()


@pytest.mark.parametrize(("code", "text"), PASSING)
def test_what_may_pass(code: str, text: str) -> None:
    assert passing(Status(code, text))


@pytest.mark.parametrize(("code", "text", "said"), LASTING)
def test_what_does_not_pass_is_explained(code: str, text: str, said: str) -> None:
    status = Status(code, text)
    assert not passing(status)
    error = explained(status, model="chirp", language="xx-XX", location="global", project="p", host="h")
    assert isinstance(error, ModelError)
    assert error.status == code
    assert str(error).startswith("Google Speech at h: ")
    assert said in str(error)
    assert text[:60] in str(error)


@pytest.mark.parametrize("code", sorted(every_code()))
def test_statuses_are_read_from_the_clients_errors(code: str) -> None:
    error = exceptions.from_grpc_status(grpc.StatusCode[code], "as it happens")
    assert status_of(error) == Status(code, "as it happens")


def test_errors_of_other_kinds_count_as_unknown_and_a_time_out_as_one() -> None:
    assert status_of(TimeoutError()).code == "DEADLINE_EXCEEDED"
    assert status_of(OSError("broken pipe")) == Status("UNKNOWN", "OSError: broken pipe")


def test_tokens_and_long_texts_do_not_reach_the_message() -> None:
    text = "metadata authorization: Bearer ya29.secret-token and eyJhbGciOi.eyJzdWIi.sig " + "x" * 5000
    error = str(explained(Status("UNKNOWN", text), model="m", language="l", location="g", project="p", host="h"))
    assert "secret" not in error
    assert "eyJ" not in error
    assert len(error) < 600


async def hear(stt: GoogleSTT, audio: bytes) -> str:
    async def line() -> Any:
        for at in range(0, len(audio), 800):
            await asyncio.sleep(0.1)
            yield audio[at : at + 800]
        yield Flush()

    segments: dict[int, str] = {}
    await stt.warm()
    try:
        async for item in stt.transcribe(line()):
            if isinstance(item, Transcript):
                segments[item.segment] = item.text
    finally:
        await stt.aclose()
    return " ".join(segments[number] for number in sorted(segments))


AUDIO = LEXICON.speak("to be or not to be")[0] + b"\xff" * 1600


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(("code", "text"), PASSING)
async def test_what_may_pass_loses_no_word(version: Any, code: str, text: str) -> None:
    draw = random.Random(text)
    faults = {0: Fault(code=code, text=text), 1: Fault(code=code, text=text, at=draw.uniform(0.1, 1.0))}
    sim = GoogleSpeechSim(LEXICON, faults=faults)
    stt = GoogleSTT(version=version, channel=sim.channel, options=GoogleOptions(spare=False))
    assert await hear(stt, AUDIO) == "to be or not to be"
    assert [stream.status for stream in sim.streams] == [code, code, "OK"]


@pytest.mark.parametrize(("code", "text", "said"), LASTING)
async def test_what_does_not_pass_is_raised_at_once(code: str, text: str, said: str) -> None:
    sim = GoogleSpeechSim(LEXICON, faults={0: Fault(code=code, text=text, at=0.3)})
    stt = GoogleSTT("p", model="long", channel=sim.channel, options=GoogleOptions(spare=False))
    with pytest.raises(SpeechRefused, match=code):
        await hear(stt, AUDIO)
    assert len(sim.streams) == 1


async def test_a_quota_that_stays_used_up_is_said() -> None:
    sim = GoogleSpeechSim(LEXICON, faults=lambda number: Fault(code="RESOURCE_EXHAUSTED"))
    with pytest.raises(SpeechRefused, match="the quota of project 'p' is used up: ask for more"):
        await hear(GoogleSTT("p", channel=sim.channel), AUDIO + b"\xff" * 40000)


async def test_an_error_inside_a_response_of_v1_counts_like_a_status() -> None:
    from google.cloud.speech_v1.types import cloud_speech

    from voiceloop.stt.google_request import dialect

    response = cloud_speech.StreamingRecognizeResponse(error={"code": 11, "message": "Exceeded maximum"})
    assert dialect("v1", cloud_speech).read(response).error == Status("OUT_OF_RANGE", "Exceeded maximum")


async def test_a_model_that_takes_no_hints_is_asked_without_them() -> None:
    sim = GoogleSpeechSim(LEXICON, refuses_hints=True)
    stt = GoogleSTT(channel=sim.channel, hints=("mocha",), options=GoogleOptions(spare=False))
    assert await hear(stt, AUDIO) == "to be or not to be"
    assert [(stream.status, stream.config and stream.config.hints) for stream in sim.streams] == [
        ("INVALID_ARGUMENT", None),
        ("OK", ()),
    ]
