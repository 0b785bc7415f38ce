"""The recording of a call holds what was said and what was heard, when it was, and nothing else."""

from __future__ import annotations

import errno
import gc
import os
import stat
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, Runtime, TurnTaking
from voiceloop.audio.dtmf import tones
from voiceloop.audio.wav import read_wav
from voiceloop.carried import Carried
from voiceloop.conversation import Message
from voiceloop.errors import VoiceloopError
from voiceloop.frames import CallerAudio, CallStart
from voiceloop.processor import Processor
from voiceloop.record.wav_recorder import (
    BEHIND,
    BLOCK,
    RecordingOptions,
    WavRecorder,
    record_call,
    record_every_call,
)
from voiceloop.rehearsal import rehearse
from voiceloop.sim.artificial import Lexicon
from voiceloop.sim.carrier import CarrierOptions
from voiceloop.sim.line_faults_sound import MarksNever
from voiceloop.testing import Dialled, ScriptedSTT, ScriptedTTS, calls, script
from voiceloop.vad.processor import EnergyVAD

GREETING = "Corner Coffee, hi!"
MENU = "We have coffee and tea and cake and bread, and on Sundays there is soup for everyone."
CONSENT = "This call is recorded."
HEADER = 58
QUIET = 0.02  # seconds of sound by which the end of a cut answer may be off: a frame


class Recorded:
    """A bot that is recorded."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.lexicon = Lexicon()
        self.folder = folder
        self.options = options
        self.tools: Callable[[Call, WavRecorder], list[Any]] = lambda call, recorder: []
        self.recorder: WavRecorder | None = None
        self.prepare: Callable[[Call], None] = lambda call: None

    def __call__(self, call: Call) -> Pipeline:
        self.prepare(call)
        self.recorder = recorder = record_call(call, self.folder, options=RecordingOptions(**self.options))
        return Pipeline(
            [
                call.transport,
                EnergyVAD(),
                ScriptedSTT(self.lexicon),
                TurnTaking(GREETING),
                LLMAggregator(script("Okay."), tools=self.tools(call, recorder)),
                ScriptedTTS(self.lexicon),
                AudioStreamer(),
            ]
        )

    @property
    def path(self) -> Path:
        (path,) = self.folder.rglob("*.wav")
        return path

    def channels(self) -> tuple[bytes, bytes]:
        """The caller's and the agent's, mu-law."""
        sound = self.path.read_bytes()[HEADER:]
        return sound[0::2], sound[1::2]


def sounding(audio: bytes) -> int:
    """Samples that are no silence."""
    return len(audio) - audio.count(b"\xff") - audio.count(b"\x7f")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def heard_words(bot: Recorded, audio: bytes) -> list[Any]:
    return [word for word in bot.lexicon.listen(audio) if word.whole]


# --- what is in it ------------------------------------------------------------------------------------------


async def interrupted(dial: Callable[..., Any], bot: Recorded, options: CarrierOptions) -> Dialled:
    """A call with an interruption, in which the agent then has its say."""
    said = script(MENU, "A tea, okay.", "And a cake, too.")
    async with dial(bot, llm=said, lexicon=bot.lexicon, carrier=options) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("what do you have")
        await caller.interrupts("just a tea", after=1.53)
        await caller.hears("A tea, okay.")
        await caller.says("and a cake")
        await caller.hears("And a cake, too.")
        await caller.hangs_up()
        return caller  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("delay", "jitter", "seed", "off"), [(0.0, 0.0, 0, 0.021), (0.08, 0.0, 0, 0.021), (0.05, 0.04, 3, 0.045)]
)
async def test_the_right_channel_is_what_the_caller_heard_sample_by_sample_and_when(
    dial: Callable[..., Any], tmp_path: Path, delay: float, jitter: float, seed: int, off: float
) -> None:
    bot = Recorded(tmp_path)
    options = CarrierOptions(delay_to_server=delay, delay_from_server=delay, jitter=jitter, seed=seed)
    caller = await interrupted(dial, bot, options)
    truth = bytes(caller.carrier.heard)
    _, right = bot.channels()
    really, kept = heard_words(bot, truth), heard_words(bot, right)
    assert [word.text for word in kept] == [word.text for word in really]
    assert "".join(f"{word.text} " for word in really).endswith("A tea, okay. And a cake, too. ")
    for here, there in zip(really, kept, strict=True):
        assert right[there.start : there.end] == truth[here.start : here.end]  # sample by sample
        assert (there.start - here.start) / 8000 == pytest.approx(0.0, abs=off)
    # What the caller heard of the cut word is in it to a frame, and nothing of what was flushed is.
    assert abs(sounding(right) - sounding(truth)) <= (QUIET + jitter) * 8000


async def test_what_a_clear_took_back_is_not_in_it(dial: Callable[..., Any], tmp_path: Path) -> None:
    bot = Recorded(tmp_path)
    caller = await interrupted(dial, bot, CarrierOptions(delay_to_server=0.05, delay_from_server=0.05))
    flushed = [segment for segment in caller.carrier.truth.segments if segment.flushed]
    assert sum(segment.size for segment in flushed) > 2000  # a quarter of a second was sent in vain
    assert "soup" not in bot.lexicon.text(bot.channels()[1])


async def test_the_left_channel_is_what_the_caller_said_and_both_are_on_one_axis(
    dial: Callable[..., Any], tmp_path: Path
) -> None:
    bot = Recorded(tmp_path)
    caller = await interrupted(dial, bot, CarrierOptions(delay_to_server=0.05, delay_from_server=0.05))
    left, right = bot.channels()
    assert bot.lexicon.text(left) == "what do you have just a tea and a cake"
    report = caller.ended
    assert report is not None
    assert len(left) / 8000 == len(right) / 8000 == pytest.approx(report.duration, abs=0.001)
    # The wait that the report states is a distance in the file.
    asked, answered = heard_words(bot, left), heard_words(bot, right)
    (cake,) = [word for word in asked if word.text == "cake"]
    (first,) = [word for word in answered if word.text == "And"]
    turn = report.turns[-1]
    assert turn.latency is not None
    assert (first.start - cake.end) / 8000 == pytest.approx(turn.latency.as_ms()["total"] / 1000, abs=0.03)


async def test_a_carrier_that_echoes_no_mark_is_recorded_by_the_clock(dial: Callable[..., Any], tmp_path: Path) -> None:
    bot = Recorded(tmp_path)
    options = CarrierOptions(faults=(MarksNever(),), delay_to_server=0.06, delay_from_server=0.06)
    async with dial(bot, llm=script(MENU, "A tea."), lexicon=bot.lexicon, carrier=options) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("what do you have")
        await caller.interrupts("just a tea", after=1.5)
        await caller.waits(4.0)
        await caller.hangs_up()
    _, right = bot.channels()
    assert bot.lexicon.text(right) == bot.lexicon.text(bytes(caller.carrier.heard))


async def test_it_is_a_wav_file_that_only_its_owner_can_read(dial: Callable[..., Any], tmp_path: Path) -> None:
    bot = Recorded(tmp_path / "kept")
    caller = await interrupted(dial, bot, CarrierOptions())
    day, name = bot.path.relative_to(tmp_path / "kept").parts
    assert len(day) == 10
    assert name == f"{caller.call.id}-1.wav"
    assert stat.S_IMODE(bot.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(bot.path.parent.stat().st_mode) == 0o700
    assert bot.recorder is not None
    assert bot.recorder.files == (str(bot.path),)
    assert read_wav(bot.path).seconds == pytest.approx(len(bot.channels()[0]) / 8000)


async def test_linear_samples_are_those_of_mu_law(dial: Callable[..., Any], tmp_path: Path) -> None:
    bot = Recorded(tmp_path / "mulaw")
    await interrupted(dial, bot, CarrierOptions())
    other = Recorded(tmp_path / "pcm", form="pcm16")
    await interrupted(dial, other, CarrierOptions())
    one, two = read_wav(bot.path), read_wav(other.path)
    assert (one.rate, two.rate) == (8000, 8000)
    assert np.array_equal(one.samples, two.samples)
    assert other.path.stat().st_size - HEADER == 2 * (bot.path.stat().st_size - HEADER)


# --- stopped and started ------------------------------------------------------------------------------------


async def test_what_is_said_while_it_is_stopped_is_silence_and_all_else_is_where_it_was(
    dial: Callable[..., Any], tmp_path: Path
) -> None:
    bot = Recorded(tmp_path)
    async with dial(bot, llm=script("Go on please.", "I have got it."), lexicon=bot.lexicon) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("here comes my card")
        await caller.hears("Go on please.")
        assert caller.call.recording is not None
        caller.call.recording.stop()
        assert not caller.call.recording.running
        await caller.says("four nine one one")
        await caller.hears("I have got it.")
        caller.call.recording.start()
        assert caller.call.recording.running
        await caller.says("thank you")
        await caller.hears("I have got it.")
        await caller.hangs_up()
    left, right = bot.channels()
    assert bot.lexicon.text(left) == "here comes my card thank you"
    assert bot.lexicon.text(right) == "Corner Coffee, hi! Go on please. I have got it."
    truth = heard_words(bot, bytes(caller.carrier.heard))
    assert heard_words(bot, right)[-1].start == pytest.approx(truth[-1].start, abs=170)


async def test_nothing_is_in_memory_of_what_was_said_while_it_was_stopped(
    dial: Callable[..., Any], tmp_path: Path
) -> None:
    bot = Recorded(tmp_path)
    async with dial(bot, llm=script(MENU), lexicon=bot.lexicon) as caller:
        await caller.hears("Corner Coffee")
        await caller.waits(BEHIND + BLOCK + 0.5)  # what was said before is written
        recorder = bot.recorder
        assert recorder is not None
        recorder.stop()
        await caller.says("what do you have")
        await caller.waits(1.5)  # the agent speaks
        assert sounding(bytes(recorder._caller._audio)) == 0
        ahead = sum(sounding(bytes(spurt.audio)) for spurt in recorder._agent._spurts)
        assert 0 < ahead < 1.1 * 8000  # what was sent ahead, and is still to be heard
        recorder.start()
        await caller.hears()
        await caller.hangs_up()
    left, right = bot.channels()
    assert bot.lexicon.text(left) == ""
    assert bot.lexicon.text(right).endswith("on Sundays there is soup for everyone.")
    assert "coffee and tea" not in bot.lexicon.text(right)


async def test_the_model_pauses_and_resumes_it_by_tools(dial: Callable[..., Any], tmp_path: Path) -> None:
    bot = Recorded(tmp_path)
    bot.tools = lambda call, recorder: [recorder.pause_recording, recorder.resume_recording]
    said = script((calls("pause_recording")), "Your card please.", (calls("resume_recording")), "Thank you.")
    async with dial(bot, llm=said, lexicon=bot.lexicon) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("I want to pay")
        await caller.hears("Your card please.")
        await caller.says("four nine one one")
        await caller.hears("Thank you.")
        await caller.hangs_up()
    left, right = bot.channels()
    assert bot.lexicon.text(left) == "I want to pay"
    assert bot.lexicon.text(right) == "Corner Coffee, hi! Thank you."


@pytest.mark.parametrize("way", ["window", "each key"])
async def test_secret_keys_suspend_it_so_that_no_tone_is_in_the_file(
    dial: Callable[..., Any], tmp_path: Path, way: str
) -> None:
    bot = Recorded(tmp_path)
    async with dial(bot, lexicon=bot.lexicon, invariants=None) as caller:
        await caller.hears("Corner Coffee")
        await caller.waits(3.0)
        recorder = bot.recorder
        assert recorder is not None
        if way == "window":
            with caller.call.secret_keys():
                await caller.waits(0.1)
                assert not recorder.running
                await caller.begins(tones("4911"))
                await caller.presses("4911")
                await caller.waits(0.5)
        else:
            caller.call.keypad.always = True
            for key in "4911":
                await caller.begins(tones(key))
                await caller.waits(0.1)
                await caller.presses(key)
                await caller.waits(0.3)
        await caller.waits(1.0)
        assert recorder.running
        await caller.says("that was it")
        await caller.waits(2.0)
        await caller.hangs_up()
    left, _ = bot.channels()
    for key in "491":
        assert tones(key)[:160] not in left
    assert sounding(tones("4911")) > 2000  # they were planted
    assert bot.lexicon.text(left) == "that was it"
    words = heard_words(bot, left)
    assert sounding(left) == sounding(b"".join(left[word.start : word.end] for word in words))


# --- consent ------------------------------------------------------------------------------------------------


async def test_nothing_is_kept_before_the_consent_prompt_was_heard(dial: Callable[..., Any], tmp_path: Path) -> None:
    bot = Recorded(tmp_path, consent=CONSENT)
    async with dial(bot, llm=script("Okay."), lexicon=bot.lexicon) as caller:
        await caller.hears(CONSENT)
        await caller.says("a tea please")
        await caller.hears("Okay.")
        await caller.hangs_up()
    left, right = bot.channels()
    assert CONSENT not in bot.lexicon.text(right)
    assert bot.lexicon.text(right).endswith("Okay.")
    assert bot.lexicon.text(left) == "a tea please"
    assert bot.lexicon.text(bytes(caller.carrier.heard)).count(CONSENT) == 1


async def test_the_prompt_comes_before_the_greeting_when_turn_taking_lets_it_and_the_greeting_is_recorded(
    dial: Callable[..., Any], tmp_path: Path
) -> None:
    lexicon = Lexicon()

    class Polite(TurnTaking):
        def on_call_start(self, start: CallStart) -> None:
            assert isinstance(self.call.recording, WavRecorder)
            self.call.recording.announce()
            super().on_call_start(start)

    def bot(call: Call) -> Pipeline:
        record_call(call, tmp_path, options=RecordingOptions(consent=CONSENT))
        return Pipeline([call.transport, Polite(GREETING), ScriptedTTS(lexicon), AudioStreamer()])

    async with dial(bot, lexicon=lexicon, carrier=CarrierOptions(delay_from_server=0.05)) as caller:
        await caller.hears(f"{CONSENT} {GREETING}")
        await caller.hangs_up()
    (path,) = files_in(tmp_path)
    assert lexicon.text(path.read_bytes()[HEADER:][1::2]) == GREETING  # of which much was sent before it began


async def test_a_caller_who_hangs_up_before_it_was_heard_is_not_recorded(
    dial: Callable[..., Any], tmp_path: Path
) -> None:
    bot = Recorded(tmp_path, consent=CONSENT)
    async with dial(bot, lexicon=bot.lexicon) as caller:
        await caller.waits(0.5)
        await caller.hangs_up()
    assert files_in(tmp_path) == []
    assert bot.recorder is not None
    assert bot.recorder.files == ()


async def test_a_bot_may_start_it_after_a_yes(dial: Callable[..., Any], tmp_path: Path) -> None:
    bot = Recorded(tmp_path, start=False)
    bot.tools = lambda call, recorder: [recorder.resume_recording]
    said = script("May I record this?", (calls("resume_recording")), "Thanks.", "A tea, okay.")
    async with dial(bot, llm=said, lexicon=bot.lexicon) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("a tea please")
        await caller.hears("May I record this?")
        assert bot.recorder is not None
        assert not bot.recorder.running
        assert files_in(tmp_path) == []
        await caller.says("yes")
        await caller.hears("Thanks.")
        await caller.says("a tea then")
        await caller.hears("A tea, okay.")
        await caller.hangs_up()
    left, right = bot.channels()
    assert bot.lexicon.text(left) == "a tea then"
    assert bot.lexicon.text(right) == "Thanks. A tea, okay."


@pytest.mark.parametrize(("heard", "prompts"), [("This  call is recorded. Hello!", 0), ("This call", 1)])
async def test_who_heard_the_prompt_on_the_line_before_does_not_hear_it_again(
    dial: Callable[..., Any], tmp_path: Path, heard: str, prompts: int
) -> None:
    bot = Recorded(tmp_path, consent=CONSENT)

    def carried(call: Call) -> None:
        call.carried = Carried([Message("assistant", heard)])

    bot.prepare = carried
    async with dial(bot, lexicon=bot.lexicon, invariants=None) as caller:
        await caller.hears()
        await caller.says("a tea please")
        await caller.hears("Okay.")
        await caller.hangs_up()
    assert bot.lexicon.text(bytes(caller.carrier.heard)).count(CONSENT) == prompts
    assert bot.lexicon.text(bot.channels()[0]) == "a tea please"


# --- who knows of the file ----------------------------------------------------------------------------------


async def told(dial: Callable[..., Any], bot: Recorded, seconds: float) -> list[tuple[tuple[str, ...], int]]:
    """What whoever writes the call down was told: the files that were named, and how many there were."""
    known: list[tuple[tuple[str, ...], int]] = []

    def follow(call: Call) -> None:
        def changed() -> None:
            assert bot.recorder is not None
            named = bot.recorder.files
            if named and (not known or known[-1][0] != named):
                known.append((named, len(files_in(bot.folder))))

        call.conversation.watcher = changed

    bot.prepare = follow
    async with dial(bot, lexicon=bot.lexicon) as caller:
        await caller.waits(seconds)
        await caller.hangs_up()
    return known


@pytest.mark.parametrize("consent", ["", CONSENT])
async def test_a_file_is_named_before_it_is_made(dial: Callable[..., Any], tmp_path: Path, consent: str) -> None:
    bot = Recorded(tmp_path, consent=consent)
    assert await told(dial, bot, 8.0) == [((str(bot.path),), 0)]
    assert bot.path.is_absolute()


async def test_no_file_is_named_before_the_caller_was_asked(dial: Callable[..., Any], tmp_path: Path) -> None:
    assert await told(dial, Recorded(tmp_path, consent=CONSENT), 0.5) == []


async def test_a_name_that_is_taken_is_put_right(dial: Callable[..., Any], tmp_path: Path) -> None:
    for _ in range(2):
        bot = Recorded(tmp_path)
        known = await told(dial, bot, 12.0)
    one, two = sorted(str(path) for path in files_in(tmp_path))
    assert [named for named, _ in known] == [(one,), (two,)]
    assert bot.recorder is not None
    assert bot.recorder.files == (two,)


@pytest.mark.realtime
async def test_on_an_ordinary_loop_it_is_named_at_once(tmp_path: Path) -> None:
    head = Hour(0.3)
    call = Call(head, id="CA1")
    recorder = record_call(call, tmp_path)
    known: list[tuple[tuple[str, ...], int]] = []
    call.conversation.watcher = lambda: known.append((recorder.files, len(files_in(tmp_path))))
    await Pipeline([head, AudioStreamer()]).run(call)
    (path,) = files_in(tmp_path)
    assert known[0] == ((str(path),), 0)


async def test_the_file_has_the_number_of_the_line(tmp_path: Path) -> None:
    head = Hour(1.0)
    call = Call(head, id="CA1")
    call.carried = Carried([], streams=2)
    recorder = record_call(call, tmp_path)
    await Pipeline([head, AudioStreamer()]).run(call)
    (path,) = files_in(tmp_path)
    assert (path.name, recorder.files) == ("CA1-3.wav", (str(path),))


# --- what goes wrong ----------------------------------------------------------------------------------------


async def test_a_folder_that_cannot_be_made_is_one_fault_and_the_call_goes_on(
    dial: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    bot = Recorded(tmp_path / "file")
    caller = await interrupted(dial, bot, CarrierOptions())
    assert caller.ended is not None
    (fault,) = caller.ended.faults
    assert (fault.kind, "the rest of the call is not recorded" in fault.message) == ("record", True)
    assert caller.ended.reason == "caller hung up"
    assert bot.recorder is not None
    assert bot.recorder.files == ()


async def test_a_disk_that_fills_up_leaves_what_was_written_and_the_call_goes_on(
    dial: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = os.pwrite, [0]

    def full(handle: int, data: Any, offset: int) -> int:
        written[0] += 1
        if written[0] > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    bot = Recorded(tmp_path)
    caller = await interrupted(dial, bot, CarrierOptions())
    assert caller.ended is not None
    assert [fault.kind for fault in caller.ended.faults] == ["record"]
    assert "No space left" in caller.ended.faults[0].message
    assert bot.recorder is not None
    assert not bot.recorder.running
    left, right = bot.channels()
    assert 2 * BLOCK > read_wav(bot.path).seconds > 2.0  # it promises what is certain to be there
    assert len(left) / 8000 == len(right) / 8000 == pytest.approx(2 * BLOCK + 1.0, abs=0.1)
    assert bot.lexicon.text(right).startswith(GREETING)


async def test_the_longest_recording_ends_and_says_so(dial: Callable[..., Any], tmp_path: Path) -> None:
    bot = Recorded(tmp_path, longest=4.0)
    caller = await interrupted(dial, bot, CarrierOptions())
    assert caller.ended is not None
    (fault,) = caller.ended.faults
    assert "4 s are recorded" in fault.message
    assert len(bot.channels()[0]) / 8000 == pytest.approx(5.0, abs=1.1)


async def test_a_call_whose_bot_fails_and_one_that_is_cut_off_leave_a_whole_file(
    dial: Callable[..., Any], tmp_path: Path
) -> None:
    bot = Recorded(tmp_path)
    async with dial(bot, llm=script(MENU), lexicon=bot.lexicon) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("what do you have")
        await caller.waits(2.0)
        caller.call.end("failed")
        report = await caller.report()
    left, right = bot.channels()
    assert len(left) / 8000 == pytest.approx(report.duration, abs=0.001)
    truth = bot.lexicon.text(bytes(caller.carrier.heard))
    assert truth.startswith(bot.lexicon.text(right))
    assert len(bot.lexicon.text(right).split()) >= len(truth.split()) - 2


# --- where it is set up -------------------------------------------------------------------------------------


async def test_every_call_is_recorded_by_a_hook_and_a_second_line_gets_a_further_file(
    dial: Callable[..., Any], tmp_path: Path
) -> None:
    hook = record_every_call(RecordingOptions(folder=tmp_path))
    recorders: list[Any] = []

    def bot(call: Call) -> Pipeline:
        hook(call)
        recorders.append(record_call(call, tmp_path / "other"))  # the server's stays
        lexicon = Lexicon()
        return Pipeline([call.transport, TurnTaking("Hello."), ScriptedTTS(lexicon), AudioStreamer()])

    for _ in range(2):
        async with dial(bot, invariants=None) as caller:
            await caller.waits(2.0)
            await caller.hangs_up()
    files = [Path(path).name for recorder in recorders for path in recorder.files]
    assert files == [f"{caller.call.id}-1.wav", f"{caller.call.id}-2.wav"]
    assert not (tmp_path / "other").exists()


async def test_a_rehearsal_renders_the_prompt_and_keeps_nothing(tmp_path: Path) -> None:
    bot = Recorded(tmp_path, consent=CONSENT)
    async with Runtime() as runtime:
        report = await rehearse(bot, runtime)
        assert report.faults == []
        assert CONSENT in [text for _, text in runtime._canned]
    assert files_in(tmp_path) == []


async def test_a_call_that_is_recorded_otherwise_is_not_recorded_twice(dial: Callable[..., Any]) -> None:
    call = Call(Processor())
    call.recording = object()  # type: ignore[assignment]
    with pytest.raises(VoiceloopError, match="recorded by object already"):
        record_call(call)


@pytest.mark.parametrize(
    ("options", "error"), [({"form": "mp3"}, "'mulaw' or 'pcm16'"), ({"longest": 0}, "longest is in seconds")]
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        RecordingOptions(**options)


# --- how much it takes --------------------------------------------------------------------------------------


class Hour(Processor):
    """A caller who talks without end."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.most = 0

    def on_call_start(self, start: CallStart) -> None:
        self.begin = self.call.now
        self._tick()

    def _tick(self) -> None:
        now = self.call.now
        if now >= self.begin + self.seconds:
            self.call.end("over")
            return
        for piece in range(5):
            self.push(CallerAudio(b"\x55" * 160, now - 0.1 + piece * 0.02))
        recorder = self.call.recording
        assert isinstance(recorder, WavRecorder)
        kept = len(recorder._caller._audio) + sum(len(spurt.audio) for spurt in recorder._agent._spurts)
        self.most = max(self.most, kept)
        self.call.timer(now + 0.1, self._tick)

    def send_media(self, payload: bytes) -> None: ...
    def send_mark(self, name: str) -> None: ...
    def send_clear(self) -> None: ...


@pytest.mark.parametrize("seconds", [10.0, 3590.0])
async def test_memory_holds_seconds_of_the_call_however_long_it_is(tmp_path: Path, seconds: float) -> None:
    head = Hour(seconds)
    call = Call(head)
    record_call(call, tmp_path)
    report = await Pipeline([head, AudioStreamer()]).run(call)
    assert report.reason == "over"
    assert head.most <= (BEHIND + BLOCK + 0.5) * 8000
    (path,) = files_in(tmp_path)
    assert path.stat().st_size == HEADER + 2 * round(report.duration * 8000)


@pytest.mark.realtime
async def test_on_an_ordinary_loop_the_file_is_whole_when_the_call_has_ended(tmp_path: Path) -> None:
    head = Hour(0.3)
    call = Call(head, id="../../etc/CA 1")
    recorder = record_call(call, tmp_path)
    report = await Pipeline([head, AudioStreamer()]).run(call)
    assert report.faults == []
    (path,) = files_in(tmp_path)
    assert recorder.files == (str(path),)
    assert path.name == "_etc_CA_1-1.wav"
    assert read_wav(path).seconds == pytest.approx(report.duration, abs=0.05)
    assert recorder._file is not None
    assert recorder._file._handle is None


async def test_nothing_of_the_call_is_left_behind_it(tmp_path: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        head = Hour(3.0)
        call = Call(head, id="CA1")
        recorder = record_call(call, tmp_path, options=RecordingOptions(start=False))
        left = weakref.ref(call)
        await Pipeline([head, AudioStreamer()]).run(call)
        recorder.start()  # too late, and harmless
        del call, head
        assert left() is None
        assert not recorder.running
    finally:
        gc.enable()
    assert files_in(tmp_path) == []
