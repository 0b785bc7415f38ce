// What the call holds, and what there is to say about a moment of it.

const call = JSON.parse($("call").textContent);
const STEP = 0.01; // seconds that one value of an outline stands for
const outline = { caller: bytesOf(call.outline.caller), agent: bytesOf(call.outline.agent) };

/** The times where something happens, for Page Up and Page Down. */
const moments = (() => {
  const times = [0];
  for (const turn of call.turns) times.push(turn.start, turn.end);
  for (const answer of call.answers) times.push(answer.sounds[0][0]);
  for (const cut of call.cuts) times.push(cut.at);
  for (const [at] of call.moments) times.push(at);
  return [...new Set(times)].sort((one, other) => one - other);
})();

/** The level of a voice in dB below full scale, as text; nothing when it is silent. */
function levelOf(voice, at) {
  const peak = (outline[voice][Math.floor(at / STEP)] ?? 0) / 255;
  return peak > 0.01 ? `${Math.round(40 * Math.log10(peak))} dB` : "silent";
}

const NAMES = { interruption: "interruption", clear: "clear: what was sent and not heard is taken back", pause: "pause",
  resume: "goes on", aside: "aside", digit: "digit", fault: "fault", mark: "mark sent", echo: "mark came back", transcript: "recognised" };

/** One line of text for an event. */
const said = ([at, kind, text]) => `${NAMES[kind] ?? kind}${text ? `: ${text}` : ""} (${clock(at, 3)})`;

/** Everything that is known of a moment, as lines of text. `near`: seconds around it in which an event counts. */
function describe(at, near, wire) {
  const lines = [];
  for (const [voice, name] of [["caller", "Caller"], ["agent", "Agent"]]) {
    const speaking = voice === "caller" && call.speech.some(([start, end]) => start <= at && at < end);
    lines.push(`${name}: ${levelOf(voice, at)}${speaking ? ", voice detected" : ""}`);
  }
  for (const turn of call.turns) {
    if (turn.start <= at && at <= turn.end) lines.push(`Turn ${turn.number || "–"}: ${turn.text}`);
    const part = turn.wait?.parts.find(([, start, end]) => start <= at && at < end);
    if (part) {
      const total = (turn.wait.end - turn.wait.start) * 1000;
      lines.push(`Waiting for ${part[0]}: ${part[3].toFixed(0)} ms of ${total.toFixed(0)} ms (turn ${turn.number || "–"})`);
    }
  }
  const word = wordAt(at);
  if (word) lines.push(`“${word[0]}” ${clock(word[1], 2)} to ${clock(word[2], 2)}${word[4] ? "" : ", estimated"}`);
  for (const [start, end] of call.pauses) if (start <= at && at < end) lines.push(`paused for ${((end - start) * 1000).toFixed(0)} ms`);
  for (const cut of call.cuts) if (Math.abs(cut.at - at) <= near && cut.text) lines.push(`Not heard: ${cut.text}`);
  for (const list of wire ? [call.moments, call.wire] : [call.moments]) {
    let index = lastBefore(list, at + near, (moment) => moment[0]);
    for (let shown = 0; index >= 0 && list[index][0] >= at - near && shown < 4; index--, shown++) lines.push(said(list[index]));
  }
  return lines;
}

function wordAt(at) {
  const index = lastBefore(call.words, at, (word) => word[1]);
  return index >= 0 && at < call.words[index][2] ? call.words[index] : null;
}
