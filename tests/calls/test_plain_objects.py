"""The loop as plain objects: a voice's payloads are queued by hand on a live call."""

from __future__ import annotations

import asyncio
import base64
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest

from voiceloop.call import Call
from voiceloop.frames import UserTurn
from voiceloop.output.audio_streamer import AudioStreamer
from voiceloop.output.payload import Payload, PayloadError, Utterance
from voiceloop.pipeline import Pipeline
from voiceloop.processor import NotRunning, Processor
from voiceloop.pull import ProviderFailed
from voiceloop.runtime import Runtime
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.stt.base import STT
from voiceloop.testing import Failing, ScriptedSTT, ScriptedTTS, dial, script
from voiceloop.tts.base import TTS
from voiceloop.turns.endpointing import FixedSilence
from voiceloop.turns.processor import TurnTaking
from voiceloop.twilio.connections import ConnectionManager, NoSuchCall
from voiceloop.vad.processor import EnergyVAD

LONG = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone until the evening."
Bot = Callable[[Call], Pipeline]
Say = Callable[..., Any]


@pytest.fixture
def manager(lexicon: Lexicon) -> ConnectionManager:
    return ConnectionManager(ScriptedTTS(lexicon))


@pytest.fixture
def bare_bot(manager: ConnectionManager, lexicon: Lexicon) -> Callable[..., Bot]:
    """Makes a bot without a model and without a voice, whose calls are in `manager`."""

    def make(*more: Callable[[], Processor]) -> Bot:
        def bot(call: Call) -> Pipeline:
            manager.connect(call)
            stages = [make() for make in more]
            ears = [call.transport, EnergyVAD(), ScriptedSTT(lexicon), TurnTaking(endpointing=FixedSilence())]
            return Pipeline([*ears, *stages, AudioStreamer()])

        return bot

    return make


@pytest.fixture
def ring(bare_bot: Callable[..., Bot], lexicon: Lexicon) -> Callable[..., Any]:
    """``async with ring() as caller:`` is a call in `manager`."""

    def call(*more: Callable[[], Processor], **options: Any) -> Any:
        return dial(bare_bot(*more), **{"lexicon": lexicon, "silence": 0.4, **options})

    return call


async def say(manager: ConnectionManager, call_sid: str, reply: Any, **options: Any) -> int:
    """The loop, as code with plain objects writes it. Returns how many payloads were queued."""
    count = 0
    async for payload in manager.get_tts_stream().generate(reply, **options):
        await manager.get_streamer(call_sid).queue_audio(payload)
        count += 1
    return count


def agent_said(call: Call) -> list[str]:
    return [str(message) for message in call.conversation if message.role == "assistant"]


# --- what is heard and remembered ---------------------------------------------------------------------------


async def test_a_reply_that_is_generated_and_queued_is_heard_and_remembered_word_by_word(
    ring: Any, manager: ConnectionManager
) -> None:
    reply = "Two teas, please: that's  6 dollars."
    async with ring() as caller:
        await caller.waits(0.1)
        await say(manager, caller.call.id, reply)
        heard = await caller.hears()
        assert heard.text == "Two teas, please: that's 6 dollars."
        assert caller.carrier.truth.holes() == []
        report = await caller.hangs_up()
    assert [message.text for message in report.conversation] == [reply]  # as it was written
    assert report.faults == []
    assert report.abandoned == []


@pytest.mark.parametrize("voiced", [True, False])
async def test_a_bot_may_have_a_voice_in_its_pipeline_too(
    phone: Any, lexicon: Lexicon, manager: ConnectionManager, voiced: bool
) -> None:
    class Enters(Processor):
        async def start(self) -> None:
            manager.connect(self.call)

    options = {"greeting": "Hello there."} if voiced else {}
    async with phone(more=lambda: [Enters()], llm=script("Certainly."), **options) as caller:
        await caller.waits(0.05)
        loop = asyncio.ensure_future(say(manager, caller.call.id, "Welcome to the shop."))
        heard = await caller.hears()
        assert heard.text == ("Hello there. " if voiced else "") + "Welcome to the shop."  # behind the greeting
        await loop
        await caller.says("are you open")
        assert (await caller.hears()).text == "Certainly."
        report = await caller.hangs_up()
    assert agent_said(caller.call)[-2:] == ["assistant: Welcome to the shop.", "assistant: Certainly."]
    assert report.faults == []


async def test_the_text_may_come_piece_by_piece_as_a_model_writes_it(ring: Any, manager: ConnectionManager) -> None:
    async def tokens() -> AsyncIterator[str]:
        for piece in ["One lar", "ge moc", "ha. ", "Any", "thing else?"]:
            await asyncio.sleep(0.9)  # longer than a pause that would end speech of unknown origin
            yield piece

    async with ring() as caller:
        await caller.waits(0.1)
        await say(manager, caller.call.id, tokens())
        await caller.waits(2.0)
        assert agent_said(caller.call) == ["assistant: One large mocha. Anything else?"]
        assert caller.call.live_answers() == []
        await caller.hangs_up()


async def test_a_model_is_spoken_as_it_writes_and_its_usage_is_passed_over(
    ring: Any, manager: ConnectionManager
) -> None:
    model = script("Yes, we are open.", first=0.3, rate=10)
    async with ring() as caller:
        await caller.waits(0.1)
        began = asyncio.get_running_loop().time()
        loop = asyncio.ensure_future(say(manager, caller.call.id, model.respond([])))
        heard = await caller.hears()
        assert heard.text == "Yes, we are open."
        assert heard.started - began < 0.3 + 0.1 + 0.05  # with the second word: before the model's last one
        await loop
        await caller.hangs_up()


class Answering(Processor):
    """Answers each turn with the loop."""

    def __init__(self, manager: ConnectionManager, *replies: str) -> None:
        self.manager = manager
        self.replies = list(replies)

    async def on_user_turn(self, turn: UserTurn) -> None:
        self.call.conversation.add("user", turn.text)
        await say(self.manager, self.call.id, self.replies.pop(0), turn=turn)


async def test_an_answer_to_a_turn_is_in_the_report_with_its_latency(ring: Any, manager: ConnectionManager) -> None:
    async with ring(lambda: Answering(manager, "Yes, we are.", "Five minutes.")) as caller:
        await caller.says("are you open")
        reply = await caller.hears("Yes, we are.")
        await caller.says("how long does it take")
        await caller.hears("Five minutes.")
        report = await caller.hangs_up()
    assert [(turn.caller, turn.heard, turn.interrupted) for turn in report.turns] == [
        ("are you open", "Yes, we are.", False),
        ("how long does it take", "Five minutes.", False),
    ]
    latency = report.turns[0].latency
    assert latency is not None
    assert latency.total == pytest.approx(reply.latency, abs=0.02)
    assert latency.endpoint == pytest.approx(0.5)


# --- back-pressure ------------------------------------------------------------------------------------------


class CountingTTS(ScriptedTTS):
    """Knows how much it has made."""

    made = 0

    async def generate(self, text: AsyncIterator[str]) -> Any:
        async with aclosing(super().generate(text)) as speech:
            async for piece in speech:
                self.made += len(piece.audio)
                yield piece


@pytest.mark.parametrize("sentences", [1, 30])
async def test_a_reply_of_90_s_is_made_no_more_than_about_10_s_ahead(
    bare_bot: Any, lexicon: Lexicon, sentences: int
) -> None:
    voice = CountingTTS(lexicon)
    manager = ConnectionManager(voice)
    words = [f"word{number:03}" for number in range(222)]
    parts = [" ".join(words[at::sentences]) for at in range(sentences)]
    ahead: list[float] = []

    def bot(call: Call) -> Pipeline:
        manager.connect(call)
        return Pipeline([call.transport, AudioStreamer()])

    async with dial(bot, lexicon=lexicon, tts=voice, silence=0.4) as caller:
        await caller.waits(0.1)

        async def watch() -> None:
            while True:
                ahead.append((voice.made - len(caller.carrier.heard)) / 8000)
                await asyncio.sleep(0.5)

        watching = asyncio.ensure_future(watch())
        began = asyncio.get_running_loop().time()
        for part in parts:
            await say(manager, caller.call.id, part)
        took = asyncio.get_running_loop().time() - began
        watching.cancel()
        assert voice.made / 8000 == pytest.approx(90, abs=2)
        assert took == pytest.approx(voice.made / 8000 - 10, abs=1.0)
        assert 9.0 < max(ahead) < 11.2
        await caller.waits(12.0)
        assert lexicon.text(bytes(caller.carrier.heard)).split() == " ".join(parts).split()
        assert caller.carrier.truth.holes() == []
        await caller.hangs_up()


async def test_many_tasks_that_queue_at_once_are_slowed_together(
    ring: Any, manager: ConnectionManager, lexicon: Lexicon
) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        streamer = manager.get_streamer(caller.call.id)
        piece, _ = lexicon.speak("wordy")
        tasks = [asyncio.ensure_future(streamer.queue_audio(piece)) for _ in range(200)]
        await caller.waits(0.2)
        assert sum(answer.buffered for answer in caller.call.live_answers()) < 10.6
        assert 30 < sum(task.done() for task in tasks) < 35  # the others wait for room
        await asyncio.wait(tasks)
        await caller.waits(11.0)
        assert lexicon.text(bytes(caller.carrier.heard)) == " ".join(["wordy"] * 200)
        await caller.hangs_up()


# --- barge-in -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.0, 0.06])
@pytest.mark.parametrize("slow", [0.0, 3.0])
async def test_a_barge_in_stops_the_sound_and_the_loop_and_the_rest_is_not_heard(
    ring: Any, manager: ConnectionManager, lexicon: Lexicon, delay: float, slow: float
) -> None:
    """Also when the loop waits for text at that moment."""
    closed: list[float] = []
    text = " ".join([LONG] * 6)

    async def tokens() -> AsyncIterator[str]:
        try:
            for word in text.split():
                yield f"{word} "
                await asyncio.sleep(slow if word == "bread," else 0)
        finally:
            closed.append(asyncio.get_running_loop().time())

    line = CarrierOptions(delay_to_server=delay, delay_from_server=delay)
    async with ring(carrier=line) as caller:
        await caller.waits(0.2)
        loop = asyncio.ensure_future(say(manager, caller.call.id, tokens()))
        cut = await caller.interrupts("stop that please", after=1.5)
        assert cut.agent_stopped - cut.speech.speech_started < 0.2 + 2 * delay
        await caller.waits(0.5)  # until it is known that they said something
        assert loop.done()
        assert closed[0] - cut.speech.speech_ended < 0.3 + 2 * delay  # what made the text was told
        truth = lexicon.text(bytes(caller.carrier.heard))
        await caller.waits(8.0)
        assert lexicon.text(bytes(caller.carrier.heard)) == truth  # silence
        (message,) = [message for message in caller.call.conversation if message.role == "assistant"]
        assert message.interrupted
        assert message.text == truth
        assert (
            f"{message.text} {message.unheard}".split()
            == text.split()[: len(message.text.split() + message.unheard.split())]
        )
        report = await caller.hangs_up()
    assert report.faults == []


async def test_after_a_barge_in_a_new_reply_is_heard_at_once_while_the_rest_of_the_old_one_is_dropped(
    ring: Any, manager: ConnectionManager
) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        streamer = manager.get_streamer(caller.call.id)
        stream = manager.get_tts_stream()
        old = [payload async for payload in stream.generate(LONG)]
        assert all([await streamer.queue_audio(payload) for payload in old[:10]])
        await caller.interrupts("stop that please", after=0.6)
        await caller.waits(1.5)  # until they have said it
        new = [payload async for payload in stream.generate("Sure, what else?")]
        for payload in [*old[10:14], *new[:2], *old[14:18], *new[2:], *old[18:]]:
            assert await streamer.queue_audio(payload) is (payload.utterance is new[0].utterance)
        assert (await caller.hears()).text == "Sure, what else?"
        await caller.hangs_up()


async def test_pieces_of_unknown_origin_are_dropped_after_a_barge_in_until_they_pause(
    ring: Any, manager: ConnectionManager, lexicon: Lexicon
) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        streamer = manager.get_streamer(caller.call.id)
        audio, _ = lexicon.speak(LONG)
        played: list[bool] = []

        async def play() -> None:
            for at in range(0, len(audio), 800):
                played.append(await streamer.queue_audio(audio[at : at + 800]))
                await asyncio.sleep(0.09)

        loop = asyncio.ensure_future(play())
        await caller.interrupts("stop", after=1.5)
        await loop
        assert played == sorted(played, reverse=True)  # once it was cut, for good
        assert 10 < sum(played) < 25
        await caller.waits(0.6)
        before = len(caller.carrier.heard)
        assert await streamer.queue_audio(*lexicon.speak("Good morning."))
        await caller.waits(2.0)
        assert lexicon.text(bytes(caller.carrier.heard[before:])) == "Good morning."
        await caller.hangs_up()


async def test_a_reply_that_begins_while_the_caller_speaks_is_dropped_whole(
    ring: Any, manager: ConnectionManager, lexicon: Lexicon
) -> None:
    async with ring() as caller:
        speaking = asyncio.ensure_future(caller.says("two coffees and a cake please"))
        await caller.waits(0.6)
        await say(manager, caller.call.id, LONG)
        await speaking
        await caller.waits(2.0)
        assert lexicon.text(bytes(caller.carrier.heard)) == ""
        await caller.hangs_up()


async def test_kept_payloads_can_be_played_again_and_on_other_calls(
    ring: Any, manager: ConnectionManager, lexicon: Lexicon
) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        streamer = manager.get_streamer(caller.call.id)
        kept = [payload async for payload in manager.get_tts_stream().generate("We close at six today.")]
        await streamer.queue_audio(kept[0])
        await caller.interrupts("stop", after=0.1)
        await caller.waits(2.0)
        for _ in range(2):
            before = len(caller.carrier.heard)
            for payload in kept:
                assert await streamer.queue_audio(payload)
            await caller.waits(4.0)
            assert lexicon.text(bytes(caller.carrier.heard[before:])) == "We close at six today."
        assert agent_said(caller.call)[-2:] == ["assistant: We close at six today."] * 2
        await caller.hangs_up()
    async with ring() as caller:
        await caller.waits(0.1)
        for payload in kept:
            await manager.get_streamer(caller.call.id).queue_audio(payload)
        await caller.hears("We close at six today.")
        await caller.hangs_up()


async def test_a_voice_of_ones_own_is_one_answer_with_its_text(
    ring: Any, manager: ConnectionManager, lexicon: Lexicon
) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        streamer = manager.get_streamer(caller.call.id)
        audio, words = lexicon.speak("Your table is booked.")
        utterance = Utterance("Your table is booked!")
        half = len(audio) // 2
        assert await streamer.queue_audio(utterance.payload(audio[:half], words))
        await caller.waits(3.0)  # half of it was heard long ago
        assert await streamer.queue_audio(utterance.payload(audio[half:]))
        utterance.finish()
        await caller.waits(2.0)
        assert caller.call.live_answers() == []
        assert agent_said(caller.call) == ["assistant: Your table is booked!"]
        await caller.hangs_up()


# --- the end of the call ------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("slow", [0.0, 0.4])
async def test_a_hang_up_in_the_middle_ends_the_loop_and_leaves_nothing(
    ring: Any, manager: ConnectionManager, moment: float, slow: float
) -> None:
    async def tokens() -> AsyncIterator[str]:
        for word in (LONG * 6).split():
            await asyncio.sleep(slow)
            yield f"{word} "

    async with ring() as caller:
        await caller.waits(0.2)
        sid = caller.call.id
        loop = asyncio.ensure_future(say(manager, sid, tokens()))
        await caller.waits(moment)
        report = await caller.hangs_up()
        try:
            await asyncio.wait_for(loop, 1.0)
        except NotRunning:
            assert moment <= 0.3  # nothing of it had been queued yet, so the loop finds the call gone
        assert report.abandoned == []
        assert report.faults == []
        assert len(manager) == 0
        with pytest.raises(NoSuchCall, match=f"no live call '{sid}': it has ended, or never began here; no call is"):
            manager.get_streamer(sid)


@pytest.mark.parametrize("how", ["hang up", "cut", "interrupted", "failed", "complete", "waiting", "given up"])
async def test_nothing_of_a_call_is_kept_by_manager_stream_or_payload_and_no_collector_is_needed(
    bare_bot: Any, manager: ConnectionManager, lexicon: Lexicon, how: str
) -> None:
    left: list[weakref.ref[Any]] = []
    make = bare_bot()

    def bot(call: Call) -> Pipeline:
        pipeline: Pipeline = make(call)
        left.extend(weakref.ref(each) for each in (call, pipeline, *pipeline.processors))
        return pipeline

    voice = ScriptedTTS(lexicon, failing=Failing("raise", after=4) if how == "failed" else None)
    text = {"complete": "One.", "waiting": " ".join([LONG] * 3)}.get(how, LONG)
    gc.collect()
    gc.disable()
    try:
        async with dial(bot, lexicon=lexicon, tts=voice, silence=0.4) as caller:
            await caller.waits(0.1)
            kept: list[Payload] = []
            stream = manager.get_tts_stream().generate(text)
            loop = asyncio.ensure_future(play(manager, caller.call.id, stream, kept, 5 if how == "given up" else 1000))
            await caller.waits(1.0)
            if how == "interrupted":
                await caller.interrupts("no no stop", after=0.1)
            await caller.waits(1.5)
            assert loop.done() is (how != "waiting")
            await (caller.carrier.cut() if how == "cut" else caller.hangs_up())
            await caller.report()
            caller._call = None
            await asyncio.wait([loop])
            assert (loop.exception() is not None) is (how == "failed")
            del loop
        await asyncio.sleep(0.1)
        assert [type(ref()).__name__ for ref in left if ref() is not None] == []
        assert len(kept) >= 1
        assert manager.calls == []
    finally:
        gc.enable()
    if how == "given up":
        assert [payload async for payload in stream] == []  # there is nobody to speak to


async def play(manager: ConnectionManager, call_sid: str, stream: Any, kept: list[Payload], most: int) -> None:
    """The loop, up to a number of payloads, which are kept."""
    async for payload in stream:
        kept.append(payload)
        await manager.get_streamer(call_sid).queue_audio(payload)
        if len(kept) == most:
            return


async def test_the_streamer_of_a_call_that_is_over_says_so(ring: Any, manager: ConnectionManager) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        streamer = manager.get_streamer(caller.call.id)
        (payload,) = [payload async for payload in manager.get_tts_stream().generate("a")]
        await caller.hangs_up()
        for piece in (payload, b"\xff" * 160):
            with pytest.raises(NotRunning, match=r"AudioStreamer\.queue_audio needs a running call"):
                await streamer.queue_audio(piece)


@pytest.mark.parametrize("moment", [0.5, 1.0])
async def test_audio_queued_before_the_call_has_begun_waits_for_it(
    manager: ConnectionManager, lexicon: Lexicon, moment: float
) -> None:
    class Slow(Processor):
        async def start(self) -> None:
            await asyncio.sleep(1.0)

    def bot(call: Call) -> Pipeline:
        manager.connect(call)
        return Pipeline([call.transport, Slow(), AudioStreamer()])

    async with dial(bot, lexicon=lexicon, silence=0.4) as caller:
        await caller.waits(0.1)
        loop = asyncio.ensure_future(say(manager, caller.call.id, "Hello there."))
        if moment < 1.0:
            await caller.waits(moment)
            await caller.hangs_up()
            with pytest.raises(NotRunning):
                await loop
        else:
            reply = await caller.hears("Hello there.")
            assert reply.started == pytest.approx(1.0, abs=0.03)
            await loop
            await caller.hangs_up()


async def test_two_calls_speak_at_once_by_one_stream(
    bare_bot: Any, manager: ConnectionManager, lexicon: Lexicon
) -> None:
    substitutes = {TTS: ScriptedTTS(lexicon, first=0.2), STT: ScriptedSTT(lexicon)}
    async with (
        Runtime(substitutes=substitutes) as runtime,
        dial(bare_bot(), lexicon=lexicon, runtime=runtime, silence=0.4) as one,
        dial(bare_bot(), lexicon=lexicon, runtime=runtime, silence=0.4, carrier=CarrierOptions(seed=2)) as two,
    ):
        await one.waits(0.1)
        assert one.call.id != two.call.id
        assert manager.calls == [one.call, two.call]
        assert manager.get_tts_stream() is manager.get_tts_stream()
        first = asyncio.ensure_future(say(manager, one.call.id, LONG))
        second = asyncio.ensure_future(say(manager, two.call.id, "Good evening, this is the other shop."))
        await two.hears("Good evening, this is the other shop.")
        await one.waits(1.0)
        await two.hangs_up()
        assert manager.calls == [one.call]
        assert (await one.hears()).text == LONG
        await asyncio.gather(first, second)
        await one.hangs_up()
    assert len(manager) == 0


# --- failures -----------------------------------------------------------------------------------------------


async def test_a_voice_that_fails_in_the_middle_ends_the_loop_with_its_error_and_what_was_heard_is_kept(
    bare_bot: Any, manager: ConnectionManager, lexicon: Lexicon
) -> None:
    voice = ScriptedTTS(lexicon, failing=Failing("raise", after=4))
    async with dial(bare_bot(), lexicon=lexicon, tts=voice, silence=0.4) as caller:
        await caller.waits(0.1)
        with pytest.raises(ProviderFailed, match="ScriptedTTS failed: ConnectionError: broken, as scripted"):
            await say(manager, caller.call.id, LONG)
        await caller.waits(4.0)
        assert lexicon.text(bytes(caller.carrier.heard)) == "We have coffee and"
        (message,) = [message for message in caller.call.conversation if message.role == "assistant"]
        assert message.text == "We have coffee and"
        assert message.unheard.startswith("tea and cake")
        await caller.hangs_up()


async def test_after_a_voice_has_failed_the_voice_of_the_pipeline_apologises(phone: Any, lexicon: Lexicon) -> None:
    async with Runtime() as runtime, phone() as caller:
        await caller.waits(0.2)
        broken = ConnectionManager(ScriptedTTS(lexicon, failing=Failing("raise", after=2)), runtime=runtime)
        broken.connect(caller.call)
        with pytest.raises(ProviderFailed):
            await say(broken, caller.call.id, LONG)
        assert (await caller.hears()).text == "We have Sorry, something went wrong. Could you say that again?"
        await caller.hangs_up()


async def test_the_characters_given_to_the_voice_are_in_the_report(ring: Any, manager: ConnectionManager) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        kept: list[Payload] = []
        await play(manager, caller.call.id, manager.get_tts_stream().generate("Ten bytes."), kept, 1000)
        await caller.hears("Ten bytes.")
        for payload in kept:  # once more, and for nothing
            await manager.get_streamer(caller.call.id).queue_audio(payload)
        await caller.hears("Ten bytes.")
        report = await caller.hangs_up()
    assert report.usage["tts.characters"] == 10


async def test_a_loop_that_is_given_up_plays_what_was_queued_and_remembers_no_more(
    ring: Any, manager: ConnectionManager, lexicon: Lexicon
) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        streamer = manager.get_streamer(caller.call.id)
        async with aclosing(manager.get_tts_stream().generate(LONG)) as payloads:
            async for payload in payloads:
                await streamer.queue_audio(payload)
                if payload.position > 8000:
                    break
        await caller.waits(3.0)
        heard = lexicon.text(bytes(caller.carrier.heard))
        assert 2 <= len(heard.split()) <= 6
        (message,) = [message for message in caller.call.conversation if message.role == "assistant"]
        assert message.text == heard
        assert LONG.startswith(f"{message.text} {message.unheard}"[: len(message.text) + 10])
        assert caller.call.live_answers() == []
        await caller.hangs_up()


# --- what is taken ------------------------------------------------------------------------------------------


async def test_audio_may_be_bytes_or_base64_text(ring: Any, manager: ConnectionManager, lexicon: Lexicon) -> None:
    audio, words = lexicon.speak("one two three four")
    quarter = len(audio) // 4
    kinds: list[Callable[[bytes], Any]] = [bytes, bytearray, memoryview, lambda a: base64.b64encode(a).decode()]
    async with ring() as caller:
        await caller.waits(0.1)
        streamer = manager.get_streamer(caller.call.id)
        for index, kind in enumerate(kinds):
            end = len(audio) if index == 3 else (index + 1) * quarter
            assert await streamer.queue_audio(kind(audio[index * quarter : end]), words if index == 0 else ())
        assert await streamer.queue_audio(b"")
        assert (await caller.hears()).text == "one two three four"
        await caller.hangs_up()
    assert agent_said(caller.call) == ["assistant: one two three four"]


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ("not base64!", "expected base64 text or bytes of audio, came the text 'not base64!'"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "expected mu-law samples without a header, came a WAV file"),
        (base64.b64encode(b"RIFF\x24\x00\x00\x00WAVEfmt ").decode(), "came a WAV file"),
        (base64.b64encode(bytes(200)), "came base64 as bytes"),
        (None, "expected bytes of audio or base64 text, came NoneType"),
        (17, "came int"),
        ([1, 2], "came list"),
    ],
)
async def test_what_is_no_audio_is_refused_with_the_reason_and_the_call_goes_on(
    ring: Any, manager: ConnectionManager, payload: Any, error: str
) -> None:
    async with ring() as caller:
        await caller.waits(0.1)
        with pytest.raises(PayloadError, match=error):
            await manager.get_streamer(caller.call.id).queue_audio(payload)
        assert caller.call.live_answers() == []
        await say(manager, caller.call.id, "Still here.")
        await caller.hears("Still here.")
        report = await caller.hangs_up()
    assert report.faults == []


async def test_a_payload_knows_what_it_is_a_piece_of(lexicon: Lexicon) -> None:
    utterance = Utterance("Hi")
    first, second = utterance.payload(b"\x01" * 320), utterance.payload(b"\x02" * 160)
    assert isinstance(second, Payload)
    assert (second, second.position, second.utterance) == (b"\x02" * 160, 320, utterance)
    assert first.position == 0
    assert utterance.size == 480
