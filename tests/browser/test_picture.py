"""The picture of a call in a real browser: what it draws, says, plays, and does not do."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from voiceloop.audio import mulaw
from voiceloop.record import adpcm
from voiceloop.record.picture import save_picture
from voiceloop.record.timeline import AnswerLine, PlacedWord, Span, Timeline, TimelineEvent, TurnLine

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LATENCY = {"total": 900.0, "endpoint": 500.0, "stt": 0.0, "llm": 300.0, "tts": 100.0, "output": 0.0, "carrier": 0.0}
EVIL = "</script><script>window.evil=1</script><img src=x onerror='window.evil=2'><svg onload='window.evil=3'>"

# What the page hands to the sound card: the place where playing starts and the samples there.
LISTEN = """
window.played = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, offset) {
  const from = Math.round(offset * this.buffer.sampleRate);
  const samples = Array.from(this.buffer.getChannelData(0).slice(from, from + 4000));
  window.played.push({ offset, rate: this.buffer.sampleRate, samples });
  return start.call(this, when, offset);
};
"""


def voice(seconds: float, tone: float) -> bytes:
    time = np.arange(round(seconds * 8000)) / 8000
    return mulaw.encode((9000 * np.sin(2 * np.pi * tone * time) * np.abs(np.sin(9 * time))).astype(np.int16))


def a_call() -> Timeline:
    """Twenty seconds: a greeting, a question, an answer that is interrupted, a fault."""
    quiet = mulaw.encode(np.zeros(8000, np.int16))
    return Timeline(
        call_id="CA12",
        began="2026-11-23T09:36:24.467+00:00",
        duration=20.0,
        reason="caller hung up",
        caller_audio=quiet * 2 + voice(2, 300) + quiet * 3 + voice(1, 300) + quiet * 12,
        agent_audio=voice(1.5, 500) + quiet * 3 + quiet[:3200] + voice(2.4, 500) + quiet * 13,
        speech=[Span(2.1, 4.0), Span(7.1, 8.0)],
        turns=[
            TurnLine(1, "Which drinks do you have?", 2.1, 4.0, 4.5, 4.5, answer=2, latency_ms=LATENCY),
            TurnLine(2, "Stop", 7.1, 8.0, 8.5, 8.5),
        ],
        answers=[
            AnswerLine(1, "Hello there.", 0.0, "Hello there.", "", "complete", [Span(0.0, 1.5)]),
            AnswerLine(
                2, "We have tea, and cake.", 4.5, "We have", "tea, and cake.", "interrupted", [Span(4.9, 7.3)], 7.3
            ),
        ],
        words=[
            PlacedWord("Hello", 0.1, 0.6, 1),
            PlacedWord("there.", 0.7, 1.4, 1),
            PlacedWord("We", 4.95, 5.2, 2),
            PlacedWord("have", 5.5, 7.1, 2),
        ],
        events=[
            TimelineEvent(4.9, "mark", "s:2"),
            TimelineEvent(7.3, "interruption", "", 2),
            TimelineEvent(7.3, "clear"),
            TimelineEvent(9.0, "digit", "5"),
            TimelineEvent(9.5, "fault", "Voice.failed: it broke"),
        ],
    )


Opened = Callable[..., "Page"]


@pytest.fixture
def open_picture(chromium: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Opens the picture of a call; fails when the page logs an error or asks for anything over a network."""
    wrong: list[str] = []
    contexts = []

    def opened(
        call: Timeline | None = None, *, size: tuple[int, int] = (1280, 900), audio: bool = True, **more: Any
    ) -> Page:
        file = tmp_path / "call.html"
        save_picture(call or a_call(), file, audio=audio)
        context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **more)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(LISTEN)
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request", lambda request: None if request.url in (file.as_uri(), "data:,") else wrong.append(request.url)
        )
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def axis_point(page: Page, at: float) -> dict[str, float]:
    """Where on the axis a time is, from the axis' upper left corner, in the middle of the caller's voice."""
    state = page.evaluate("window.picture.state")
    return {"x": at * state["scale"] - state["left"], "y": 120}


def wait_until(page: Page, expression: str) -> None:
    """Ask again until it is so. (Playwright's own wait evaluates strings in the page, which the policy forbids.)"""
    for _ in range(500):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"not within ten seconds: {expression}")


def position(page: Page) -> float:
    at: float = page.evaluate("window.picture.state.position")
    return at


# --- what it shows ------------------------------------------------------------------------------------------


def test_words_stand_where_they_were_heard(open_picture: Opened) -> None:
    page = open_picture()
    scale = page.evaluate("window.picture.state.scale")
    assert 90 <= scale <= 120
    words = page.locator("#labels .word")
    assert words.all_inner_texts() == ["Hello", "there.", "We", "have"]
    left = page.locator("#sheet").bounding_box()
    assert left is not None
    for word, start in zip(words.all(), (0.1, 0.7, 4.95, 5.5), strict=True):
        box = word.bounding_box()
        assert box is not None
        assert box["x"] - left["x"] == pytest.approx(start * scale, abs=1)


def test_turns_waits_and_the_interruption_are_labelled(open_picture: Opened) -> None:
    page = open_picture()
    assert page.locator("#labels .turn").all_inner_texts() == ["1Which drinks do you have?", "2Stop"]
    assert page.locator("#labels .part:not(.ms)").all_inner_texts() == ["endpoint", "llm"]  # no room for the third
    assert page.locator("#labels .part.ms").all_inner_texts() == ["500", "300"]
    assert page.locator("#labels .total").all_inner_texts() == ["900 ms"]
    assert page.locator("#labels .lost-words").inner_text() == "interruptedtea, and cake."
    assert (
        page.locator("#labels .lost-words del").evaluate("e => getComputedStyle(e).textDecorationLine")
        == "line-through"
    )
    assert page.locator("#labels .moment").all_inner_texts() == ["key 5", "fault"]


def test_the_table_is_in_the_page_and_a_row_leads_to_its_place(open_picture: Opened) -> None:
    page = open_picture()
    assert page.locator("tbody tr").count() == 2
    page.locator("tbody tr").nth(1).locator("button").click()
    assert position(page) == pytest.approx(8.0)
    page.locator("#lines li").nth(2).click()
    assert position(page) == pytest.approx(4.9)
    assert page.locator("#lines li.now").inner_text().startswith("0:04.9")


def test_pointing_at_the_axis_tells_what_is_there(open_picture: Opened) -> None:
    page = open_picture()
    page.locator("#axis").hover(position=axis_point(page, 4.2))
    tip = page.locator("#tip p").all_inner_texts()
    assert tip[0].startswith("0:04.")
    assert "Waiting for endpoint: 500 ms of 900 ms (turn 1)" in tip
    page.locator("#axis").hover(position=axis_point(page, 6.0))
    assert any(line.startswith("“have” 0:05.50 to 0:07.10") for line in page.locator("#tip p").all_inner_texts())
    page.locator("#axis").hover(position=axis_point(page, 9.5))
    assert "fault: Voice.failed: it broke (0:09.500)" in page.locator("#tip p").all_inner_texts()
    page.mouse.move(2, 2)
    assert page.locator("#tip").is_hidden()


def test_wire_marks_are_shown_when_asked_for(open_picture: Opened) -> None:
    page = open_picture()
    page.locator("#axis").hover(position=axis_point(page, 4.9))
    assert "mark sent: s:2 (0:04.900)" not in page.locator("#tip p").all_inner_texts()
    page.locator("#wire").check()
    page.locator("#axis").hover(position={**axis_point(page, 4.9), "y": 121})
    assert "mark sent: s:2 (0:04.900)" in page.locator("#tip p").all_inner_texts()


COLOURS = """() => {
  const drawn = document.getElementById("waves");
  const canvas = Object.assign(document.createElement("canvas"), { width: drawn.width, height: drawn.height });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(drawn, 0, 0);
  const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const name = [data[at], data[at + 1], data[at + 2]].join();
    if (data[at + 3] === 255) seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  return Object.fromEntries(seen);
}"""


@pytest.mark.parametrize(
    ("scheme", "caller", "agent", "page_colour"),
    [
        ("light", "51,82,176", "15,107,92", "rgb(246, 245, 241)"),
        ("dark", "146,176,255", "79,195,171", "rgb(21, 24, 26)"),
    ],
)
def test_both_voices_are_drawn_in_light_and_in_dark(
    open_picture: Opened, scheme: Any, caller: str, agent: str, page_colour: str
) -> None:
    page = open_picture(color_scheme=scheme)
    seen = page.evaluate(COLOURS)
    assert seen[caller] > 2000
    assert seen[agent] > 2000
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == page_colour


def test_another_colour_scheme_is_taken_up_at_once(open_picture: Opened) -> None:
    page = open_picture(color_scheme="light")
    page.emulate_media(color_scheme="dark")
    wait_until(page, f"({COLOURS})()['79,195,171'] > 2000")


def test_it_fits_a_phone_in_width(open_picture: Opened) -> None:
    page = open_picture(size=(360, 740), device_scale_factor=3, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.getElementById('axis').scrollWidth") > 1500  # and the axis scrolls
    assert page.evaluate("document.getElementById('waves').width") == pytest.approx(
        3 * page.evaluate("document.getElementById('axis').clientWidth"), abs=3
    )  # sharp


def test_printed_it_shows_the_whole_call_dark_on_light(open_picture: Opened) -> None:
    page = open_picture(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("window.picture.state.scale * 20") == pytest.approx(700, rel=0.1)
    assert page.evaluate(COLOURS)["15,107,92"] > 200
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("window.picture.state.scale") == pytest.approx(110)
    assert page.pdf()[:5] == b"%PDF-"


# --- sound --------------------------------------------------------------------------------------------------


def test_the_browser_decodes_the_sound_as_python_does(open_picture: Opened) -> None:
    page = open_picture()
    shape = page.evaluate("JSON.parse(document.getElementById('call').textContent).sound")
    data = base64.b64decode(page.evaluate("document.getElementById('sound').textContent"))
    runs = tuple((first, count) for first, count in shape["runs"])
    expected = adpcm.decode(adpcm.Adpcm(shape["samples"], runs, data))
    got = np.round(np.array(page.evaluate("window.picture.samples(0, 160000)")) * 32768).astype(int)
    assert len(got) == 160000
    assert np.array_equal(got, expected)


def test_a_click_on_the_axis_plays_from_there(open_picture: Opened) -> None:
    page = open_picture()
    assert page.evaluate("window.picture.state.audio") == "none"  # nothing is decoded before
    page.locator("#axis").click(position=axis_point(page, 2.5))
    wait_until(page, "window.picture.state.audio === 'running' && window.picture.state.position > 2.6")
    (played,) = page.evaluate("window.played")
    assert played["offset"] == pytest.approx(2.5, abs=0.01)
    call, first = a_call(), round(played["offset"] * 8000)
    expected = mulaw.decode(call.caller_audio)[first : first + 4000] / 32768  # the agent is silent there
    noise = expected - np.array(played["samples"])
    assert played["rate"] == 8000
    assert 10 * np.log10((expected**2).mean() / (noise**2).mean()) > 20
    assert page.locator("#play").inner_text() == "Stop"


def test_the_word_that_sounds_is_lit(open_picture: Opened) -> None:
    page = open_picture()
    page.locator("#labels .word").nth(3).click()  # a word plays from its beginning
    page.wait_for_selector("#labels .word.now")
    assert page.locator("#labels .word.now").inner_text() == "have"
    assert page.evaluate("window.played[0].offset") == pytest.approx(5.5)


def test_playing_stops_at_the_end_and_begins_again(open_picture: Opened) -> None:
    page = open_picture()
    page.locator("#axis").focus()
    page.keyboard.press("End")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Space")
    wait_until(page, "!window.picture.state.playing")
    assert position(page) == 20.0
    page.keyboard.press("Space")
    wait_until(page, "window.picture.state.playing && window.picture.state.position < 19")
    assert [round(played["offset"], 2) for played in page.evaluate("window.played")] == [19.95, 0.0]


def test_a_picture_without_sound_cannot_be_played_and_still_be_walked_through(open_picture: Opened) -> None:
    page = open_picture(audio=False)
    assert page.locator("#play").is_disabled()
    page.locator("#axis").click(position=axis_point(page, 2.5))
    assert position(page) == pytest.approx(2.5, abs=0.01)
    assert page.evaluate("window.picture.state.playing") is False


# --- keys ---------------------------------------------------------------------------------------------------


def test_keys_move_play_stop_and_zoom(open_picture: Opened) -> None:
    page = open_picture()
    page.locator("#axis").focus()
    for key, at in (
        ("ArrowRight", 1.0), ("ArrowRight", 2.0), ("PageDown", 2.1), ("PageDown", 4.0), ("PageDown", 4.9),
        ("PageUp", 4.0), ("Shift+ArrowLeft", 3.95), ("ArrowLeft", 2.95), ("End", 20.0), ("Home", 0.0),
        ("ArrowLeft", 0.0),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert position(page) == pytest.approx(at), key
    scale = page.evaluate("window.picture.state.scale")
    page.keyboard.press("+")
    assert page.evaluate("window.picture.state.scale") == pytest.approx(scale * 1.5)
    page.keyboard.press("0")
    assert (
        page.evaluate("document.getElementById('axis').scrollWidth - document.getElementById('axis').clientWidth") <= 1
    )
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    wait_until(page, "window.picture.state.position > 1.05")
    page.keyboard.press("Escape")
    assert page.evaluate("window.picture.state.playing") is False
    assert position(page) == pytest.approx(1.0)


def test_the_axis_tells_its_place_to_those_who_hear_the_page(open_picture: Opened) -> None:
    page = open_picture()
    page.locator("#axis").focus()
    page.keyboard.press("End")
    for _ in range(14):
        page.keyboard.press("ArrowLeft")
    axis = page.get_by_role("slider", name="Place in the call")
    assert axis.get_attribute("aria-valuenow") == "6.00"
    assert "“have”" in (axis.get_attribute("aria-valuetext") or "")
    assert page.locator("#axis").evaluate("e => getComputedStyle(e).outlineStyle") == "solid"  # and shows its focus


def test_the_wheel_with_control_zooms_at_the_pointer(open_picture: Opened) -> None:
    page = open_picture()
    point = axis_point(page, 6.0)
    page.locator("#axis").hover(position=point)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    wait_until(page, "window.picture.state.scale > 200")
    assert axis_point(page, 6.0)["x"] == pytest.approx(point["x"], abs=2)


# --- what it withstands -------------------------------------------------------------------------------------


def test_texts_of_outsiders_run_nothing(open_picture: Opened) -> None:
    call = a_call()
    call.caller = call.reason = call.number = EVIL
    call.turns[0].text = call.answers[1].heard = call.answers[1].unheard = call.words[2].text = EVIL
    call.events[-1].text = call.events[0].text = EVIL
    page = open_picture(call)
    page.locator("#wire").check()
    for at in (2.5, 4.95, 7.3, 9.5):
        page.locator("#axis").hover(position=axis_point(page, at))
    page.keyboard.press("0")
    assert page.evaluate("window.evil") is None
    assert page.locator("img").count() == 0
    assert page.locator("#lines li").nth(1).locator("p").inner_text() == EVIL


def test_the_policy_stops_a_script_that_gets_in_all_the_same(chromium: Browser, tmp_path: Path) -> None:
    save_picture(a_call(), tmp_path / "call.html")
    html = (tmp_path / "call.html").read_text(encoding="utf-8")
    (tmp_path / "call.html").write_text(html.replace("</body>", "<script>window.evil = 1</script></body>"))
    page = chromium.new_page()
    page.goto((tmp_path / "call.html").as_uri())
    assert page.evaluate("window.evil") is None
    assert page.evaluate("window.picture.state.scale") > 0
    assert page.evaluate("fetch('https://example.org').then(() => 'sent', () => 'refused')") == "refused"
    page.close()


def test_a_call_in_which_nothing_happened_opens(open_picture: Opened) -> None:
    page = open_picture(Timeline(duration=0.0, reason="failed"))
    assert page.locator("#play").is_disabled()
    page.keyboard.press("+")
    page.keyboard.press("End")
    assert position(page) == 0.0


def test_half_an_hour_keeps_only_what_is_seen_in_the_document(open_picture: Opened) -> None:
    call = a_call()
    call.duration = 1800.0
    call.words = [PlacedWord(f"word{n}", n / 3, n / 3 + 0.3, 2) for n in range(5400)]
    call.events = [TimelineEvent(n / 6, "mark", f"w:2:{n}") for n in range(10_000)]
    page = open_picture(call, audio=False)
    assert page.locator("#labels .word").count() < 200
    page.locator("#axis").focus()
    page.keyboard.press("End")
    page.wait_for_selector("text=word5399")
    assert page.locator("#labels .word").count() < 200


def test_it_opens_and_says_how_long_that_took(
    open_picture: Opened, record_property: Callable[[str, object], None]
) -> None:
    call = a_call()
    call.duration = 300.0
    call.caller_audio = mulaw.encode(np.random.default_rng(1).normal(0, 300, 2_400_000).astype(np.int16))
    call.agent_audio = voice(300, 400)
    page = open_picture(call)
    page.wait_for_selector("#labels .word")
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    record_property("milliseconds_to_open", timing)
    assert page.evaluate("document.documentElement.outerHTML.length") < 2_000_000
