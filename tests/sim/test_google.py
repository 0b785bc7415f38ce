"""The Google Speech simulator, judged by the official clients of v1 and v2, over gRPC and in memory."""

# ruff: noqa: E501  texts as the service says them

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("google.cloud.speech_v2", reason="needs voiceloop[google]")

import grpc
from google.api_core import exceptions
from google.cloud import speech_v1, speech_v2
from google.cloud.speech_v1.services.speech.transports import SpeechGrpcAsyncIOTransport as TransportV1
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport as TransportV2
from grpc import aio

from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.google import Fault, GoogleSpeechSim, Limits, Timing
from voiceloop.sim.loop import run_virtual
from voiceloop.testing import ScriptedSTT

LEXICON = Lexicon()
QUICK = Timing(interim=0.02, median=0.05, p95=0.05, pause=0.05)
DOORS = ("memory", "grpc")
Requests = AsyncIterator[Any]


class V1:
    name = "v1"

    def config(self, streaming: dict[str, Any] | None = None, **config: Any) -> Any:
        base = {"encoding": 3, "sample_rate_hertz": 8000, "language_code": "en-US", "model": "latest_long"}
        return speech_v1.StreamingRecognizeRequest(
            streaming_config={"config": base | config, "interim_results": True} | (streaming or {})
        )

    def audio(self, data: bytes) -> Any:
        return speech_v1.StreamingRecognizeRequest(audio_content=data)

    def client(self, channel: Any) -> Any:
        return speech_v1.SpeechAsyncClient(transport=TransportV1(channel=channel))

    def end(self, result: Any) -> float:
        return float(result.result_end_time.total_seconds())


class V2:
    name = "v2"

    def config(
        self,
        streaming: dict[str, Any] | None = None,
        recognizer: str = "projects/p/locations/global/recognizers/_",
        **config: Any,
    ) -> Any:
        decoding = {"encoding": 2, "sample_rate_hertz": 8000, "audio_channel_count": 1}
        base = {"explicit_decoding_config": decoding, "language_codes": ["en-US"], "model": "telephony"}
        features = {"interim_results": True} | (streaming or {})
        return speech_v2.StreamingRecognizeRequest(
            recognizer=recognizer, streaming_config={"config": base | config, "streaming_features": features}
        )

    def audio(self, data: bytes) -> Any:
        return speech_v2.StreamingRecognizeRequest(audio=data)

    def client(self, channel: Any) -> Any:
        return speech_v2.SpeechAsyncClient(transport=TransportV2(channel=channel))

    def end(self, result: Any) -> float:
        return float(result.result_end_offset.total_seconds())


API = V1 | V2
both = pytest.mark.parametrize("api", [V1(), V2()], ids=lambda api: api.name)


@dataclass
class Heard:
    """What a client got."""

    responses: list[Any] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    error: BaseException | None = None

    def results(self, *, final: bool) -> list[str]:
        return [
            "|".join(result.alternatives[0].transcript for result in response.results)
            for response in self.responses
            if response.results and response.results[0].is_final is final
        ]

    @property
    def events(self) -> list[str]:
        return [response.speech_event_type.name for response in self.responses if response.speech_event_type]


@asynccontextmanager
async def opened(sim: GoogleSpeechSim, door: str) -> AsyncIterator[Any]:
    if door == "memory":
        async with sim.channel() as channel:
            yield channel
        return
    async with sim.listening() as endpoint, aio.insecure_channel(endpoint.removeprefix("http://")) as channel:
        yield channel


async def ask(sim: GoogleSpeechSim, api: API, requests: Requests, door: str = "memory", **options: Any) -> Heard:
    heard, loop = Heard(), asyncio.get_running_loop()
    async with opened(sim, door) as channel:
        try:
            stream = await api.client(channel).streaming_recognize(
                requests=requests, retry=None, timeout=None, **options
            )
            async for response in stream:
                heard.responses.append(response)
                heard.times.append(loop.time())
        except exceptions.GoogleAPICallError as error:
            heard.error = error
    return heard


async def talk(api: API, audio: bytes, *, config: Any = None, pace: float = 1.0, hold: float = 0.0) -> Requests:
    yield config or api.config()
    for at in range(0, len(audio), 800):
        await asyncio.sleep(0.1 * pace)
        yield api.audio(audio[at : at + 800])
    await asyncio.sleep(hold)


def run(door: str, test: Coroutine[Any, Any, Any]) -> Any:
    """In virtual time through memory, in real time over gRPC."""
    return run_virtual(test, strict=True) if door == "memory" else asyncio.run(test)


SPEECH = LEXICON.speak("to be or not to be")[0] + b"\xff" * 8000


@both
@pytest.mark.parametrize("door", DOORS)
def test_the_official_client_reads_interims_and_finals(api: API, door: str) -> None:
    sim = GoogleSpeechSim(LEXICON, timing=QUICK)
    heard = run(door, ask(sim, api, talk(api, SPEECH + LEXICON.speak("that is all")[0], pace=0.2), door))
    assert heard.error is None
    assert heard.results(final=True) == ["to be or not to be", " that is all"]
    assert heard.results(final=False)[0] == "to"
    assert set(heard.results(final=False)) <= {*prefixes("to be or not to be"), *prefixes(" that is all")}
    finals = [result for response in heard.responses for result in response.results if result.is_final]
    assert all(result.alternatives[0].confidence > 0.5 and not result.stability for result in finals)
    assert [stream.status for stream in sim.streams] == ["OK"]
    assert sim.streams[0].finals == 2


def prefixes(text: str) -> list[str]:
    words = text.split(" ")
    return [" ".join(words[: count + 1]) for count in range(len(words))]


CHUNK = "Audio chunk can be of a maximum of 25600 bytes. Received audio of 25601 bytes instead."


def _faulty(code: str, **when: Any) -> Callable[[API], tuple[GoogleSpeechSim, Requests]]:
    def make(api: API) -> tuple[GoogleSpeechSim, Requests]:
        fault = Fault(code=code, text=f"as it happens: {code}", **when)
        return GoogleSpeechSim(LEXICON, timing=QUICK, faults={0: fault}), talk(api, SPEECH, pace=0.05)

    return make


def _config(**config: Any) -> Callable[[API], tuple[GoogleSpeechSim, Requests]]:
    return lambda api: (GoogleSpeechSim(LEXICON), talk(api, SPEECH, pace=0.05, config=api.config(**config)))


async def _large(api: API) -> Requests:
    yield api.config()
    yield api.audio(bytes(25601))
    await asyncio.sleep(5)


async def _no_config(api: API) -> Requests:
    yield api.audio(bytes(160))
    await asyncio.sleep(5)


async def _two_configs(api: API) -> Requests:
    yield api.config()
    yield api.config()
    await asyncio.sleep(5)


def _limit(seconds: float) -> Callable[[API], tuple[GoogleSpeechSim, Requests]]:
    return lambda api: (
        GoogleSpeechSim(LEXICON, limits=Limits(v1=seconds, v2=seconds)),
        talk(api, SPEECH, pace=0.05),
    )


def _idle(api: API) -> tuple[GoogleSpeechSim, Requests]:
    return GoogleSpeechSim(LEXICON, limits=Limits(idle=0.3)), talk(api, SPEECH[:800], hold=1.0)


def _key(api: API) -> tuple[GoogleSpeechSim, Requests]:
    return GoogleSpeechSim(LEXICON, key="right"), talk(api, SPEECH, pace=0.05)


CODES = [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
TABLE: list[tuple[str, Any, str | dict[str, str], str | dict[str, str]]] = [
    *((f"{code} at once", _faulty(code), code, f"as it happens: {code}") for code in CODES),
    *((f"{code} later", _faulty(code, after=2), code, f"as it happens: {code}") for code in ("UNAVAILABLE", "ABORTED")),
    ("cut", lambda api: (GoogleSpeechSim(LEXICON, faults={0: Fault("cut", at=0.3)}), talk(api, SPEECH)), "UNAVAILABLE", "recvmsg:Connection reset by peer"),
    ("large chunk", lambda api: (GoogleSpeechSim(LEXICON), _large(api)), "INVALID_ARGUMENT", CHUNK),
    ("no config", lambda api: (GoogleSpeechSim(LEXICON), _no_config(api)), "INVALID_ARGUMENT", "Send exactly one config, followed by audio data."),
    ("two configs", lambda api: (GoogleSpeechSim(LEXICON), _two_configs(api)), "INVALID_ARGUMENT", "Send exactly one config, followed by audio data."),
    ("model", _config(model="chirp_9"), "INVALID_ARGUMENT", "chirp_9"),
    ("limit", _limit(1.0), {"v1": "OUT_OF_RANGE", "v2": "ABORTED"}, {"v1": "Exceeded maximum allowed stream duration of 1 seconds.", "v2": "Max duration of 0.0166667 minutes reached for stream."}),
    ("idle", _idle, {"v1": "OUT_OF_RANGE", "v2": "ABORTED"}, {"v1": "Audio Timeout Error: Long duration elapsed without audio. Audio should be sent close to real time.", "v2": "Stream timed out after receiving no more client requests."}),
    ("key", _key, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
]  # fmt: skip


LOST_RACE = "Internal error from Core"
"""What grpc.aio says in place of the status, when that comes at the very moment at which it sends."""
TRIES = 5


@both
@pytest.mark.parametrize(("make", "code", "text"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_status_is_the_same_exception_through_both_doors(
    api: API, make: Any, code: str | dict[str, str], text: str | dict[str, str]
) -> None:
    expected = code if isinstance(code, str) else code[api.name]
    said = text if isinstance(text, str) else text[api.name]
    got = []
    for door in DOORS:
        for _ in range(TRIES):
            sim, requests = make(api)
            heard = run(door, ask(sim, api, requests, door))
            assert isinstance(heard.error, exceptions.GoogleAPICallError), door
            if heard.error.message != LOST_RACE:
                break
        assert heard.error.grpc_status_code is not None
        got.append((type(heard.error), heard.error.grpc_status_code.name, heard.error.message))
        assert sim.streams[0].status == expected
    assert got[0] == got[1]
    assert got[0][1] == expected
    assert said in got[0][2]


def test_the_limits_of_the_real_service() -> None:
    assert Limits() == Limits(v1=305.0, v2=300.0, idle=10.0)
    for api, text in (
        (V1(), "Exceeded maximum allowed stream duration of 305 seconds."),
        (V2(), "Max duration of 5 minutes reached for stream."),
    ):
        sim = GoogleSpeechSim(LEXICON)
        heard = run_virtual(ask(sim, api, talk(api, b"\xff" * 8000 * 320, pace=0.1)))
        assert heard.error is not None
        assert text in str(heard.error)
        assert sim.streams[0].audio == pytest.approx(305 if api.name == "v1" else 300, abs=0.11)


@both
async def test_audio_after_a_long_silence_of_the_client_comes_too_late(api: API) -> None:
    sim = GoogleSpeechSim(LEXICON)
    heard = await ask(sim, api, talk(api, SPEECH[:8000], hold=60.0))
    assert heard.error is not None
    assert sim.streams[0].closed == pytest.approx(1.0 + 10.0, abs=0.01)


@both
async def test_latency_is_as_published(api: API) -> None:
    sim = GoogleSpeechSim(LEXICON)
    delays = []
    for _ in range(200):
        loop = asyncio.get_running_loop()
        began = loop.time()
        heard = await ask(sim, api, talk(api, LEXICON.sound("word") + b"\xff" * 12000))
        assert heard.results(final=True) == ["word"]
        delays.append(heard.times[-1] - began - 0.2)
    delays.sort()
    assert delays[100] == pytest.approx(0.878, abs=0.04)
    assert delays[190] == pytest.approx(1.155, abs=0.07)


async def test_finals_come_after_the_half_close_and_a_flush_time_hurries_them() -> None:
    api, audio = V2(), LEXICON.sound("word")
    for flush, expected in ((None, 0.88), (0.1, 0.1)):
        sim = GoogleSpeechSim(LEXICON, timing=Timing(p95=0.88, flush=flush))
        heard = await ask(sim, api, talk(api, audio))
        stream = sim.streams[0]
        assert stream.half_closed is not None
        assert stream.closed == pytest.approx(stream.half_closed + expected, abs=0.11)
        assert heard.results(final=True) == ["word"]


@both
async def test_word_times_and_a_stable_part_and_an_unstable_one(api: API) -> None:
    sim = GoogleSpeechSim(LEXICON, timing=QUICK, split=True)
    wanted = (
        {"enable_word_time_offsets": True} if api.name == "v1" else {"features": {"enable_word_time_offsets": True}}
    )
    heard = await ask(sim, api, talk(api, SPEECH, config=api.config(**wanted)))
    assert heard.results(final=False)[-1] == "to be or not to| be"
    last = [response for response in heard.responses if response.results and not response.results[0].is_final][-1]
    assert [round(result.stability, 2) for result in last.results] == [0.9, 0.01]
    final = next(r for response in heard.responses for r in response.results if r.is_final)
    name = "end_time" if api.name == "v1" else "end_offset"
    told = [(word.word, round(getattr(word, name).total_seconds(), 3)) for word in final.alternatives[0].words]
    assert told == [(word.text, round(word.end, 3)) for word in LEXICON.speak("to be or not to be")[1]]


@both
async def test_voice_activity_events_come_when_asked_for(api: API) -> None:
    sim = GoogleSpeechSim(LEXICON, timing=QUICK)
    asked = api.config({"enable_voice_activity_events": True})
    assert (await ask(sim, api, talk(api, SPEECH, config=asked))).events == [
        "SPEECH_ACTIVITY_BEGIN",
        "SPEECH_ACTIVITY_END",
    ]
    assert (await ask(sim, api, talk(api, SPEECH))).events == []


@both
async def test_what_a_voice_activity_timeout_does(api: API) -> None:
    sim = GoogleSpeechSim(LEXICON, timing=QUICK)
    streaming: dict[str, Any] = {"enable_voice_activity_events": True}
    streaming["voice_activity_timeout"] = {"speech_end_timeout": {"seconds": 1}}
    heard = await ask(sim, api, talk(api, SPEECH + b"\xff" * 16000, config=api.config(streaming)))
    assert heard.error is None
    if api.name == "v1":
        assert heard.events[-1] == "SPEECH_ACTIVITY_TIMEOUT"
    else:
        assert sim.streams[0].audio < 2.4


async def test_a_single_utterance_is_told_before_its_final() -> None:
    api = V1()
    heard = await ask(
        GoogleSpeechSim(LEXICON, timing=QUICK),
        api,
        talk(api, SPEECH * 2, config=api.config({"single_utterance": True})),
    )
    assert heard.events == ["END_OF_SINGLE_UTTERANCE"]
    assert heard.results(final=True) == ["to be or not to be"]


@both
async def test_phrase_hints_are_noted(api: API) -> None:
    sim = GoogleSpeechSim(LEXICON, refuses_hints=True)
    hints = (
        {"speech_contexts": [{"phrases": ["mocha"], "boost": 5}]}
        if api.name == "v1"
        else {
            "adaptation": {"phrase_sets": [{"inline_phrase_set": {"phrases": [{"value": "mocha"}]}}]},
            "model": "long",
        }
    )
    heard = await ask(sim, api, talk(api, SPEECH, config=api.config(**hints)))
    assert heard.error is None
    assert sim.streams[0].config is not None
    assert sim.streams[0].config.hints == ("mocha",)


async def test_telephony_of_v2_may_refuse_hints() -> None:
    api = V2()
    config = api.config(adaptation={"phrase_sets": [{"inline_phrase_set": {"phrases": [{"value": "mocha"}]}}]})
    heard = await ask(GoogleSpeechSim(LEXICON, refuses_hints=True), api, talk(api, SPEECH, config=config))
    assert isinstance(heard.error, exceptions.InvalidArgument)
    assert "speech_adaptation_boost" in heard.error.message


async def test_configurations_of_v2_that_the_service_refuses() -> None:
    api = V2()
    for config, error, text in (
        (api.config(recognizer="projects/p"), exceptions.InvalidArgument, "Invalid resource field value"),
        (
            api.config(recognizer="projects/p/locations/global/recognizers/mine"),
            exceptions.NotFound,
            "Unable to find Recognizer mine",
        ),
        (api.config(model="chirp_2"), exceptions.InvalidArgument, 'The model "chirp_2" does not exist in the location'),
        (api.config(language_codes=["english"]), exceptions.InvalidArgument, 'The language "english" is not supported'),
    ):
        heard = await ask(GoogleSpeechSim(LEXICON), api, talk(api, SPEECH, config=config))
        assert type(heard.error) is error
        assert text in str(heard.error)


@pytest.mark.parametrize("door", DOORS)
def test_a_client_that_leaves_is_noted_and_nothing_is_left(door: str) -> None:
    api, sim = V2(), GoogleSpeechSim(LEXICON)

    async def leave() -> None:
        async with opened(sim, door) as channel:
            stream = await api.client(channel).streaming_recognize(requests=talk(api, SPEECH))
            async for response in stream:
                assert response.results
                break
            assert stream.cancel()
            with pytest.raises(asyncio.CancelledError):
                await stream.read()
            for _ in range(100):
                if not sim.open_streams:
                    break
                await asyncio.sleep(0.01)

    run(door, leave())
    assert [stream.status for stream in sim.streams] == ["CANCELLED"]


async def test_a_stalled_stream_gives_nothing_more() -> None:
    api, sim = V2(), GoogleSpeechSim(LEXICON, faults={0: Fault("stall", after=2)})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30):
            await ask(sim, api, talk(api, SPEECH, hold=5.0))
    await asyncio.sleep(0)
    assert sim.streams[0].responses == 2
    assert sim.open_streams == 0


async def test_a_network_delay_is_felt_both_ways() -> None:
    api, sim, loop = V2(), GoogleSpeechSim(LEXICON, timing=Timing(p95=0.88)), asyncio.get_running_loop()
    times = []
    for delay in (0.0, 0.05):
        start = loop.time()
        async with sim.channel(delay) as channel:
            stream = await api.client(channel).streaming_recognize(requests=talk(api, SPEECH))
            times.append([loop.time() - start async for response in stream][-1])
    assert times[1] - times[0] == pytest.approx(0.15, abs=0.06)  # opening, there and back


async def test_a_recogniser_can_do_the_listening() -> None:
    api = V2()
    stt = ScriptedSTT(LEXICON, delay=0.1)
    heard = await ask(GoogleSpeechSim(stt), api, talk(api, SPEECH + b"\xff" * 8000))
    assert heard.results(final=True) == ["to be or not to be"]


async def test_costs_are_told_when_asked_to() -> None:
    api = V2()
    heard = await ask(GoogleSpeechSim(LEXICON, bills=True), api, talk(api, SPEECH))
    assert heard.responses[-1].metadata.total_billed_duration.total_seconds() == 3


def test_timings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="median <= p95"):
        Timing(median=1.0, p95=0.5)
