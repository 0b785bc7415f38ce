"""The picture of a call as a page: it says what the report says, holds the sound, and runs nothing of the callers'."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, TurnTaking
from voiceloop.audio import mulaw
from voiceloop.record import adpcm
from voiceloop.record.picture import picture_html, save_picture
from voiceloop.record.recorder import TimelineRecorder
from voiceloop.record.scene import conversation, cuts, outline, pauses, plain, title_of, waits, when
from voiceloop.record.timeline import AnswerLine, PlacedWord, Span, Timeline, TimelineEvent, TurnLine
from voiceloop.sim.artificial import Lexicon
from voiceloop.testing import ScriptedSTT, ScriptedTTS, script
from voiceloop.vad.processor import EnergyVAD

LATENCY = {"total": 910.0, "endpoint": 500.0, "stt": 2.0, "llm": 296.0, "tts": 111.0, "output": 0.0, "carrier": 1.0}
EVIL = (
    "</script><script>window.evil=1</script><img src=x onerror='evil=1'>\" onmouseover=\"evil=1 {{title}} &amp; \u2028"
)


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        self._open = f"{tag} {values.get('id') or ''}".strip() if tag in ("script", "style", "title") else ""

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside.setdefault(self._open, []).append(data)
        else:
            self.texts.append(data)

    def of(self, element: str) -> str:
        return "".join(self.inside.get(element, ()))

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    @property
    def call(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.of("script call"))
        return values

    @property
    def policy(self) -> str:
        return next(v["content"] or "" for t, v in self.tags if v.get("http-equiv") == "Content-Security-Policy")


def voice(seconds: float, tone: float, level: float = 9000) -> bytes:
    time = np.arange(round(seconds * 8000)) / 8000
    return mulaw.encode((level * np.sin(2 * np.pi * tone * time)).astype(np.int16))


def a_call() -> Timeline:
    """Ten seconds: a greeting, a question, an answer that is interrupted."""
    quiet = mulaw.encode(np.zeros(8000, np.int16))
    return Timeline(
        call_id="CA12",
        caller="+15550001",
        began="2026-11-23T09:36:24.467+00:00",
        duration=10.0,
        reason="caller hung up",
        caller_audio=quiet * 2 + voice(2, 300) + quiet * 3 + voice(1, 300) + quiet * 2,
        agent_audio=voice(1.5, 500) + quiet * 3 + quiet[:4000] + voice(2, 500) + quiet * 3,
        speech=[Span(2.1, 4.0), Span(7.1, 8.0)],
        turns=[
            TurnLine(1, "Which drinks?", 2.1, 4.0, 4.5, 4.502, answer=2, latency_ms=LATENCY),
            TurnLine(0, "Stop", 7.1, 8.0, 8.5, 8.5),
        ],
        answers=[
            AnswerLine(1, "Hello there.", 0.0, "Hello there.", "", "complete", [Span(0.0, 1.5)]),
            AnswerLine(
                2, "We have tea, and cake.", 4.5, "We have", "tea, and cake.", "interrupted", [Span(4.91, 7.3)], 7.3
            ),
            AnswerLine(3, "Never mind.", 8.6, "", "Never mind.", "discarded"),
        ],
        words=[
            PlacedWord("We", 4.95, 5.2, 2),
            PlacedWord("Hello", 0.1, 0.6, 1),
            PlacedWord("have", 5.3, 5.9, 2, False),
        ],
        events=[
            TimelineEvent(4.9, "mark", "s:2"),
            TimelineEvent(5.0, "transcript", "Which"),
            TimelineEvent(5.0, "transcript", "Which"),
            TimelineEvent(7.15, "pause", "", 2),
            TimelineEvent(7.3, "interruption", "", 2),
            TimelineEvent(7.3, "clear"),
            TimelineEvent(9.0, "digit", "5"),
            TimelineEvent(9.5, "fault", "Voice.failed: it broke"),
        ],
    )


@pytest.fixture
def call() -> Timeline:
    return a_call()


# --- what is derived from a timeline ------------------------------------------------------------------------


def test_a_wait_lies_between_the_callers_last_sample_and_the_first_sound(call: Timeline) -> None:
    (wait,) = waits(call)
    assert (wait.start, wait.end) == (4.0, pytest.approx(4.91))
    assert [(name, ms) for name, _, _, ms in wait.parts] == [
        ("endpoint", 500.0), ("stt", 2.0), ("llm", 296.0), ("tts", 111.0), ("carrier", 1.0),
    ]  # fmt: skip
    assert [round(end, 3) for _, _, end, _ in wait.parts] == [4.5, 4.502, 4.798, 4.909, 4.91]


def test_a_cut_is_where_the_answer_was_interrupted_and_names_what_was_not_heard(call: Timeline) -> None:
    (cut,) = cuts(call)  # and not the answer that was discarded: it was never said
    assert (cut.at, cut.text, cut.interrupted) == (7.3, "tea, and cake.", True)


def test_an_answer_that_failed_half_way_is_cut_where_its_sound_ends(call: Timeline) -> None:
    call.answers = [AnswerLine(1, "One two", 0.0, "One", "two", "failed", [Span(0.0, 0.5)])]
    (cut,) = cuts(call)
    assert (cut.at, cut.interrupted) == (0.5, False)


def test_a_pause_lasts_until_the_agent_goes_on_or_is_interrupted_or_the_call_ends(call: Timeline) -> None:
    assert pauses(call) == [Span(7.15, 7.3)]
    call.events = [TimelineEvent(1.0, "pause"), TimelineEvent(2.0, "resume"), TimelineEvent(9.0, "pause")]
    assert pauses(call) == [Span(1.0, 2.0), Span(9.0, 10.0)]


def test_the_conversation_is_in_the_order_it_was_heard(call: Timeline) -> None:
    assert [(line.at, line.who, line.text, line.unheard, line.note) for line in conversation(call)] == [
        (0.0, "agent", "Hello there.", "", ""),
        (2.1, "caller", "Which drinks?", "", ""),
        (4.91, "agent", "We have", "tea, and cake.", ""),
        (7.1, "caller", "Stop", "", "not answered"),
    ]


def test_the_outline_of_a_voice_is_where_the_voice_is(call: Timeline) -> None:
    shape = outline(call.agent_audio, call.duration)
    assert len(shape) == 1000
    assert shape[:150].min() > 100
    assert shape[150:500].max() == 0
    assert int(shape[10]) == pytest.approx(255 * (9000 / 32124) ** 0.5, abs=3)


def test_the_outline_of_no_audio_is_flat() -> None:
    assert outline(b"", 0.0).tolist() == [0]
    assert outline(b"", 0.05).tolist() == [0] * 5


@pytest.mark.parametrize(
    ("began", "said"),
    [
        ("2026-11-23T09:36:24.467+00:00", "23 November 2026, 09:36:24 UTC"),
        ("2026-01-02T03:04:05+01:00", "2 January 2026, 03:04:05 +0100"),
        ("2026-01-02T03:04:05", "2 January 2026, 03:04:05"),
        ("", ""),
        ("yesterday", "yesterday"),
    ],
)
def test_when_it_began_is_said_for_people(began: str, said: str) -> None:
    assert when(Timeline(began=began)) == said


def test_texts_are_bounded_and_hold_no_control_characters() -> None:
    assert plain("a\x00b\nc\x7f") == "a b c "
    assert plain("x" * 9, limit=4) == "xxx…"
    assert plain("half \ud83d") == "half ?"


# --- the page -----------------------------------------------------------------------------------------------


def test_the_page_says_what_happened(call: Timeline) -> None:
    text = Page(picture_html(call)).text
    for said in (
        "Call from +15550001",
        "When 23 November 2026, 09:36:24 UTC",
        "Lasted 10.0 s",
        "Ended caller hung up",
        "Turns 2",
        "Median wait 910 ms",
        "Interruptions 1",
        "One fault",
        "0:09.5 Voice.failed: it broke",
        "Agent We have interrupted tea, and cake.",
        "Caller turn 1 Which drinks?",
        "Caller Stop not answered",
        "1 0:04.0 910 500 2 296 111 0 1 Which drinks?",
        "– 0:08.0 no answer was heard Stop",
    ):
        assert said in text
    assert "Never mind" not in text


def test_the_table_of_waits_is_one_that_can_be_read_aloud(call: Timeline) -> None:
    page = Page(picture_html(call))
    heads = [values for tag, values in page.tags if tag == "th"]
    assert [values["scope"] for values in heads] == ["col"] * 11 + ["row"] * 2
    assert sum(tag == "caption" for tag, _ in page.tags) == 1
    assert sum(tag == "td" for tag, _ in page.tags) == 10 + 3


def test_the_script_gets_words_in_order_and_events_once(call: Timeline) -> None:
    values = Page(picture_html(call)).call
    assert values["words"] == [["Hello", 0.1, 0.6, 1, 1], ["We", 4.95, 5.2, 2, 1], ["have", 5.3, 5.9, 2, 0]]
    assert [moment[1] for moment in values["moments"]] == ["pause", "interruption", "clear", "digit", "fault"]
    assert values["wire"] == [[4.9, "mark", "s:2"], [5.0, "transcript", "Which"]]
    assert values["turns"][0]["wait"]["end"] == 4.91
    assert values["turns"][1]["wait"] is None
    assert values["pauses"] == [[7.15, 7.3]]


def test_the_sound_is_both_voices_together(call: Timeline) -> None:
    page = Page(picture_html(call))
    shape = page.call["sound"]
    runs = tuple((first, count) for first, count in shape["runs"])
    after = adpcm.decode(adpcm.Adpcm(shape["samples"], runs, base64.b64decode(page.of("script sound"))))
    both = mulaw.decode(call.caller_audio).astype(int) + mulaw.decode(call.agent_audio)
    assert (shape["rate"], shape["block"], len(after)) == (8000, adpcm.BLOCK, 80000)
    assert 10 * np.log10((both**2).mean() / ((both - after) ** 2).mean()) > 20


def test_a_picture_can_be_made_without_the_sound(call: Timeline) -> None:
    page = Page(picture_html(call, audio=False))
    assert page.call["sound"] is None
    assert page.of("script sound") == ""


def test_it_loads_nothing_and_may_load_nothing(call: Timeline) -> None:
    page = Page(picture_html(call))
    assert [v for _, v in page.tags if "src" in v or (v.get("href") or "data:,") != "data:,"] == []
    assert "url(" not in page.of("style")
    assert "@import" not in page.of("style")
    rules = dict(rule.strip().partition(" ")[::2] for rule in page.policy.split(";"))
    assert rules.keys() == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    for rule, element in (("script-src", "script"), ("style-src", "style")):
        digest = base64.b64encode(hashlib.sha256(page.of(element).encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_what_outsiders_say_is_text_and_nothing_else(call: Timeline) -> None:
    harmless = Page(picture_html(call))
    call.caller = call.number = call.reason = call.began = call.call_id = EVIL
    call.turns[0].text = call.turns[1].text = call.answers[1].heard = call.answers[1].unheard = EVIL
    call.words[0].text = EVIL
    call.events[-1].text = call.events[-2].text = call.events[0].text = EVIL
    page = Page(picture_html(call))
    extra = 1  # the number called, which the harmless call does not have
    assert [tag for tag, _ in page.tags].count("script") == [tag for tag, _ in harmless.tags].count("script") == 3
    assert len(page.tags) == len(harmless.tags) + 3 * extra
    assert not [v for _, v in page.tags if any(name.startswith("on") for name in v)]
    assert page.call["turns"][0]["text"] == EVIL
    assert page.call["words"][1][0] == EVIL
    assert re.search(r"Caller turn 1 </script><script>window\.evil=1</script>", page.text)
    assert page.of("title").startswith("Call from </script>")
    assert page.policy == harmless.policy


def test_the_title_can_be_given_and_is_escaped_too(call: Timeline) -> None:
    page = Page(picture_html(call, title="<b>Tuesday</b>"))
    assert page.of("title") == "<b>Tuesday</b>"
    assert title_of(Timeline()) == "A phone call"


def test_a_call_in_which_nothing_happened_has_a_picture() -> None:
    text = Page(picture_html(Timeline(reason="failed"))).text
    assert "Nothing was said." in text
    assert "The caller took no turn." in text


def test_faults_are_bounded_in_number_and_length(call: Timeline) -> None:
    call.events = [TimelineEvent(1.0, "fault", "long " * 100_000)] * 300
    html = picture_html(call, audio=False)
    assert "and 200 more, on the axis below" in Page(html).text
    assert len(html) < 500_000


def test_half_a_character_from_a_model_does_not_spoil_the_file(call: Timeline, tmp_path: Path) -> None:
    call.words[0].text = call.turns[0].text = "half \ud83d"
    save_picture(call, tmp_path / "call.html", title="Übung")
    page = Page((tmp_path / "call.html").read_text(encoding="utf-8"))
    assert page.call["turns"][0]["text"] == "half ?"
    assert page.of("title") == "Übung"


def test_five_minutes_with_noise_on_the_line_fit_into_two_megabytes(call: Timeline) -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 300, 300 * 8000).astype(np.int16)
    call.duration = 300.0
    call.caller_audio = mulaw.encode(noise)
    call.agent_audio = voice(300, 400)
    call.words = [PlacedWord("coffee,", n / 3, n / 3 + 0.3, 2) for n in range(900)]
    call.events = [TimelineEvent(n / 6, kind, f"w:2:{n}") for n in range(1800) for kind in ("mark", "echo")]
    call.turns *= 30
    assert len(picture_html(call).encode()) < 2_000_000


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    colour = colour if len(colour) == 7 else "#" + "".join(digit * 2 for digit in colour[1:])
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(call: Timeline, scheme: int) -> None:
    style = Page(picture_html(call)).of("style")
    colours = [
        dict(re.findall(r"--([\w-]+): (#\w+)", part)) for part in re.findall(r":root[^{]*\{(.*?)\}", style, re.S)
    ]
    of = colours[scheme]
    pairs = [(text, behind) for text in ("ink", "soft", "caller", "agent", "cut") for behind in ("page", "card")]
    pairs += [("on-part", part) for part in ("endpoint", "stt", "llm", "tts", "output", "carrier")]
    pairs += [
        ("warn-ink", "warn"),
        ("ink", "warn"),
        ("card", "agent"),
        ("card", "cut"),
        ("card", "ink"),
        ("page", "ink"),
    ]
    for text, behind in pairs:
        light, dark = sorted((luminance(of[text]), luminance(of[behind])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {behind}"


# --- a real call --------------------------------------------------------------------------------------------


async def test_the_picture_of_a_call_holds_what_its_caller_heard(dial: Any) -> None:
    lexicon = Lexicon()
    timelines: list[Timeline] = []

    def bot(call: Call) -> Pipeline:
        recorder = TimelineRecorder()
        call.observe(recorder)
        call.on_end(lambda report: timelines.append(recorder.timeline(report)))
        stages = [
            EnergyVAD(),
            ScriptedSTT(lexicon),
            TurnTaking("Corner Coffee, hi!"),
            LLMAggregator(script("Okay.")),
        ]
        return Pipeline([call.transport, *stages, ScriptedTTS(lexicon), AudioStreamer()])

    async with dial(bot, llm=script("One tea."), lexicon=lexicon) as caller:
        await caller.hears("Corner Coffee")
        await caller.says("A tea please")
        await caller.hears("One tea")
        report = await caller.hangs_up()
    (timeline,) = timelines
    page = Page(picture_html(timeline))
    assert [word[0] for word in page.call["words"]] == ["Corner", "Coffee,", "hi!", "One", "tea."]
    assert f"1 {clock(timeline.turns[0].ended)} {report.turns[0].latency.total * 1000:.0f} 350" in page.text
    assert "Ended caller hung up" in page.text


def clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
