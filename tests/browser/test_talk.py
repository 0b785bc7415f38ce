"""The talk page in a real Chromium, with a bot that needs no model: what it shows, and what it says of failures."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BOT = '''
from voiceloop import AudioStreamer, EnergyVAD, LLMAggregator, Pipeline, Processor, STT, TurnTaking
from voiceloop.frames import Digit, Transcript
from voiceloop.stt.base import Flush
from voiceloop.testing import Lexicon, ScriptedLLM, ScriptedTTS


class Counting(STT):
    """Whatever is said, it was an order."""

    async def transcribe(self, audio):
        async for piece in audio:
            if isinstance(piece, Flush):
                yield Transcript("one tea")
                yield piece


class Keys(Processor):
    def on_digit(self, digit: Digit) -> None:
        self.call.say("Goodbye." if digit.digit == "9" else f"Key {digit.digit}.")
        if digit.digit == "9":
            self.call.hang_up("agent hung up")


ANSWER = "Two teas and a very long list of everything else that we have on the shelves today and tomorrow."
stt, tts = Counting(), ScriptedTTS(Lexicon(letter=0.02), first=0.05)
llm = ScriptedLLM([ANSWER], first=0.1, rate=100)


def bot(call):
    ears = [call.transport, EnergyVAD(), stt, TurnTaking("Hello."), Keys()]
    return Pipeline([*ears, LLMAggregator(llm), tts, AudioStreamer()])
'''

MICROPHONE = """
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  const line = context.createMediaStreamDestination();
  const sound = context.createBuffer(1, context.sampleRate, context.sampleRate);
  const samples = sound.getChannelData(0);
  for (let i = 0, seed = 1; i < samples.length; i++) {
    seed = (seed * 48271) % 2147483647;  // syllables of noise, four a second
    samples[i] = (seed / 1073741824 - 1) * 0.4 * Math.abs(Math.sin((i / context.sampleRate) * 4 * Math.PI));
  }
  window.speak = (seconds) => {
    const source = new AudioBufferSourceNode(context, { buffer: sound, loop: true });
    source.connect(line);
    source.start();
    source.stop(context.currentTime + seconds);
  };
  window.microphone = line.stream.getAudioTracks()[0];
  return line.stream;
};
"""
"""A microphone into which a test speaks when it wants to: ``speak(seconds)``."""


QUIET = "document.body.dataset.agent === ''"
TEXT = "Two teas and a very long list of everything else that we have on the shelves today and tomorrow."


@pytest.fixture(scope="module")
def bot_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bot") / "tea.py"
    file.write_text(BOT)
    return file


@pytest.fixture(scope="module")
def url(serve: Callable[..., Any], bot_file: Path) -> str:
    return str(serve(bot_file).url)


@pytest.fixture
def page(chromium: Any, url: str, watch: Callable[..., Any]) -> Any:
    """The page, with a microphone to speak into; nothing may be complained about on its console."""
    watched = watch(chromium, url, script=MICROPHONE)
    yield watched
    assert watched.complaints == []


# --- the page itself ----------------------------------------------------------------------------------------


def test_the_page_is_small_and_loads_nothing_from_elsewhere(chromium: Any, url: str, watch: Callable[..., Any]) -> None:
    sizes: dict[str, int] = {}
    page = watch(chromium, "about:blank")
    page.page.on("response", lambda response: sizes.update({response.url: len(response.body())}))
    page.page.goto(url)
    page.until("voiceloop.state === 'ready'")
    assert all(address.startswith(url) for address in sizes)
    assert {address.removeprefix(url) for address in sizes} >= {"", "style.css", "page.js", "icon.svg"}
    page.get("fetch('worklet.js').then(answer => answer.text()).then(text => text.length)")  # a call loads it
    assert sum(sizes.values()) < 100_000
    assert page.complaints == []


@pytest.mark.parametrize("width", [360, pytest.param(1280, marks=pytest.mark.long)])
@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.long), "dark"])
def test_nothing_overflows_and_text_has_contrast(
    chromium: Any, url: str, watch: Callable[..., Any], width: int, scheme: str
) -> None:
    page = watch(chromium, url, script=MICROPHONE, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.call()
    page.page.click("#keys")
    page.get("speak(0.8)")
    page.until("document.querySelector('.unheard, .said li .heard')")
    page.until("document.querySelector('.wait')")
    assert page.get("document.scrollingElement.scrollWidth") <= width
    assert page.get(CONTRAST) == []


CONTRAST = """(() => {
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const c = colour(getComputedStyle(node).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility() || node.disabled || node.classList.contains("hidden")) continue;
    const [a, b] = [luminance(colour(getComputedStyle(node).color)), luminance(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const what = `${node.tagName} ${node.className} ${node.textContent.slice(0, 30)}`;
    if (ratio < 4.5) low.push(`${what}: ${ratio.toFixed(2)}`);
  }
  return low;
})()"""
"""Texts with a contrast below 4.5 to 1 (WCAG 2.2, success criterion 1.4.3)."""


# --- a call -------------------------------------------------------------------------------------------------


def test_a_turn_is_shown_as_it_is_heard_and_measured_as_reported(page: Any) -> None:
    page.call()
    page.until("document.querySelector('.agent .heard')?.textContent === 'Hello.'")
    page.until("document.querySelector('#speaks').dataset.value === 'nobody'")
    page.get("speak(0.8)")
    page.until("document.querySelector('#speaks').dataset.value === 'you'")
    page.until("document.querySelector('.you')?.textContent.includes('one tea')")
    page.until("document.querySelector('#turn').dataset.value === \"agent's\"")
    grey = page.until("document.querySelector('.agent .unheard')?.textContent")
    assert grey in TEXT
    page.until("voiceloop.turns.length === 1")
    (turn,) = page.get("voiceloop.turns")
    assert turn["heard"] == TEXT
    assert abs(turn["measured_ms"] - turn["latency_ms"]["total"]) < 150
    assert not page.get("!!document.querySelector('#log .unheard, #log s')")
    waited = page.text(".wait")
    assert waited.startswith(f"{round(turn['latency_ms']['total'])} ms until the answer")
    assert f"endpoint {round(turn['latency_ms']['endpoint'])} stt " in waited
    assert f"{round(turn['measured_ms'])} ms measured here" in waited.replace("· ", "")


def test_speaking_over_the_agent_silences_it_and_strikes_what_was_not_heard(page: Any) -> None:
    page.call()
    page.until("document.querySelector('.agent .heard')?.textContent === 'Hello.'")
    page.get("speak(0.8)")
    page.until("document.querySelectorAll('.agent .heard')[1]?.textContent.split(' ').length > 4")
    page.get("speak(1.5)")
    page.until("document.querySelector('#log s')", 5)
    page.until(QUIET, 1)
    cut = page.text("#log s").removesuffix("(not heard)").strip()
    assert TEXT.endswith(cut)
    assert len(cut.split()) >= 5
    page.until("voiceloop.turns.length === 1")
    (turn,) = page.get("voiceloop.turns")
    assert turn["interrupted"]
    assert f"{turn['heard']} {turn['unheard']}" == TEXT


def test_keys_and_buttons_reach_the_bot_and_it_can_hang_up(page: Any, url: str) -> None:
    page.call()
    page.page.click("#keys")
    page.page.click("[data-key='5']")
    page.until("document.querySelector('#log').textContent.includes('Key 5.')")
    page.page.keyboard.press("#")
    page.until("document.querySelector('#log').textContent.includes('Key #.')")
    page.page.keyboard.press("9")
    page.until("voiceloop.state === 'ended'")
    assert page.text("#status") == "Call ended: agent hung up."
    assert page.text("#log").count("You pressed") == 3
    assert page.page.get_attribute("#after a", "href").startswith("picture/CA")


def test_the_keyboard_alone_is_enough(page: Any) -> None:
    page.until("voiceloop.state === 'ready'")
    press = page.page.keyboard.press
    press("Tab")
    press("Enter")
    page.until("voiceloop.state === 'incall'")
    press("m")
    assert page.page.get_attribute("#mute", "aria-pressed") == "true"
    assert page.text("#metered") == "Microphone off"
    page.get("speak(1)")
    page.page.wait_for_timeout(1200)
    assert page.page.get_attribute("#voice", "data-value") == "silence"
    press("M")
    assert page.page.get_attribute("#mute", "aria-pressed") == "false"
    press("Enter")  # the focus is still on the button of the call
    page.until("voiceloop.state === 'ended'")
    press("Enter")
    page.until("voiceloop.state === 'incall'")


def test_the_picture_of_a_call_opens_when_it_is_over(page: Any, url: str) -> None:
    pytest.importorskip("voiceloop.record.picture", reason="no pictures in this version")
    page.call()
    page.until("document.querySelector('.agent .heard')")
    page.hang_up()
    with page.context.expect_page() as opened:
        page.page.click("#after a")
    opened.value.wait_for_load_state()
    assert "Hello." in opened.value.content()


# --- what goes wrong ----------------------------------------------------------------------------------------


def test_a_refused_microphone_is_explained(chromium: Any, launch: Any, url: str, watch: Callable[..., Any]) -> None:
    browser = launch("--use-fake-device-for-media-stream", "--deny-permission-prompts")
    page = watch(browser, url)
    page.until("voiceloop.state === 'ready'")
    page.page.click("#call")
    page.until("document.querySelector('#problem').dataset.kind === 'denied'")
    assert "Allow it" in page.text("#problem")
    page.until("voiceloop.state === 'ready'")
    assert page.get("document.querySelector('#call').disabled") is False
    assert page.complaints == []


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [("NotFoundError", "none", "There is no microphone."), ("NotReadableError", "busy", "Another program")],
)
def test_a_missing_or_busy_microphone_is_explained(
    chromium: Any, url: str, watch: Callable[..., Any], name: str, kind: str, said: str
) -> None:
    fails = f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('no', '{name}') }}"
    page = watch(chromium, url, script=fails)
    page.until("voiceloop.state === 'ready'")
    page.page.click("#call")
    page.until(f"document.querySelector('#problem').dataset.kind === '{kind}'")
    assert said in page.text("#problem")


def test_a_microphone_lost_in_mid_call_is_told_and_the_call_goes_on(page: Any) -> None:
    page.call()
    page.get("microphone.onended()")
    assert "The microphone is gone" in page.text("#problem")
    page.page.keyboard.press("4")
    page.until("document.querySelector('#log').textContent.includes('Key 4.')")


@pytest.mark.long
def test_more_calls_than_allowed_are_told_so(chromium: Any, serve: Any, tmp_path: Path, watch: Any) -> None:
    (tmp_path / "busy.py").write_text(BOT)
    server = serve(tmp_path / "busy.py")
    for _ in range(4):
        watch(chromium, server.url, script=MICROPHONE).call()
    page = watch(chromium, server.url, script=MICROPHONE)
    page.until("voiceloop.state === 'ready'")
    page.page.click("#call")
    page.until("document.querySelector('#problem').dataset.kind === 'refused'")
    assert "4 calls run already" in page.text("#problem")


@pytest.mark.long
def test_a_server_that_dies_in_mid_call_and_comes_back(chromium: Any, serve: Any, tmp_path: Path, watch: Any) -> None:
    (tmp_path / "dies.py").write_text(BOT)
    server = serve(tmp_path / "dies.py")
    page = watch(chromium, server.url, script=MICROPHONE)
    page.call()
    server.stop(signal.SIGKILL)
    page.until("voiceloop.state === 'ended' || voiceloop.state === 'gone'", 5)
    page.until("/dropped|cannot be reached/.test(document.querySelector('#problem').textContent)")
    assert page.get("document.querySelector('#problem').hidden") is False
    page.until("document.querySelector('#call').disabled")
    port = server.url.rstrip("/").rpartition(":")[2]
    serve(tmp_path / "dies.py", "--port", port)
    page.until("document.querySelector('#call').disabled === false")
    page.call()


@pytest.mark.long
def test_ctrl_c_ends_a_call_with_a_reason_and_the_process_soon(
    chromium: Any, serve: Any, tmp_path: Path, watch: Any
) -> None:
    (tmp_path / "stops.py").write_text(BOT)
    server = serve(tmp_path / "stops.py")
    page = watch(chromium, server.url, script=MICROPHONE)
    page.call()
    status, seconds = server.stop(signal.SIGINT)
    assert status == 130
    assert seconds < 4
    page.until("document.querySelector('#log') && voiceloop.state !== 'incall'")
    assert "server stopped" in page.text("#status") or "cannot be reached" in page.text("#status")


def test_an_error_in_the_bot_file_is_shown_and_mending_it_is_enough(
    chromium: Any, serve: Any, tmp_path: Path, watch: Any
) -> None:
    file = tmp_path / "mended.py"
    file.write_text(BOT + "\nbot = (\n")
    server = serve(file)
    page = watch(chromium, server.url, script=MICROPHONE)
    page.until("voiceloop.state === 'broken'")
    line = BOT.count("\n") + 2
    assert f"mended.py, line {line} SyntaxError: '(' was never closed" in page.text("#problem")
    assert page.get("document.querySelector('#call').disabled")
    file.write_text(BOT.replace("Hello.", "Mended."))
    page.call()
    page.until("document.querySelector('.agent .heard')?.textContent === 'Mended.'")
    page.hang_up()
    file.write_text(BOT.replace("Hello.", "Again."))
    page.page.wait_for_timeout(100)
    page.call()
    page.until("document.querySelector('.agent .heard')?.textContent === 'Again.'")
    assert page.complaints == []
