// The page around a call: its states, its buttons, and words for everything that can go wrong.

import { Call } from "./call.js";
import { Conversation, element } from "./conversation.js";

const $ = (id) => document.getElementById(id);
const KEYS = "123456789*0#";
const LOOK = 1000; // milliseconds between two looks at the bot file's state

// kind: what has happened, and what to do
const PROBLEMS = {
  denied: [
    "The browser gives this page no microphone.",
    "Allow it: the sign at the left of the address bar, or the browser's settings for this site. Then call again.",
  ],
  none: ["There is no microphone.", "Plug one in, or choose one in the system's sound settings. Then call again."],
  busy: ["The microphone cannot be opened.", "Another program may hold it. Close that, then call again."],
  microphone: ["The microphone cannot be opened.", "Choose another in the system's sound settings, then call again."],
  insecure: [
    "Browsers give a microphone only to pages that come from this computer or over TLS.",
    "Open this page as http://localhost with the same port, on the computer that runs voiceloop talk.",
  ],
  old: ["This browser cannot process sound in a page.", "Use a current Chrome, Edge, Firefox or Safari."],
  silent: ["The browser lets this page make no sound.", "Click the page once, allow sound for it, then call again."],
  refused: ["The call was not taken:", "Try again when that has changed."],
  unanswered: ["The agent did not answer within 15 seconds.", "The terminal of voiceloop talk may say why. Call again."],
  bot: ["The agent failed before it could answer:", "Mend the bot file and save it; then call again."],
  gone: ["voiceloop talk cannot be reached.", "Is it still running? Start it again in its terminal; this page notices."],
  dropped: ["The connection to voiceloop talk has dropped.", "Look at its terminal. When it runs again, call again."],
  unknown: ["Something failed in this page:", "Reload it, and call again."],
  // while the call goes on
  lost: ["The microphone is gone: the agent hears silence.", "Plug it in again, then hang up and call again."],
  quiet: ["The system has muted the microphone: the agent hears silence.", "Turn it on: a key or switch of the computer."],
  resting: ["The browser has stopped this page's sound.", "Come back to the page and click it."],
};

const STATES = {
  loading: "Loading the voice…",
  ready: "Ready. Call, and speak.",
  asking: "Allow the microphone in the browser's question.",
  calling: "Calling…",
  incall: "In call",
  broken: "The bot file has an error.",
  gone: "voiceloop talk cannot be reached.",
};

let state = "loading";
let server = null; // the bot file's state
let call = null;
let conversation = new Conversation($("log"));
let timer = 0;
let now = { voice: false, agent: false, thinking: false, paused: false };

// --- what is shown -----------------------------------------------------------------------------------------------

function show(next, words = STATES[next]) {
  state = next;
  document.body.dataset.state = next;
  const busy = ["asking", "calling", "incall"].includes(next);
  const button = $("call");
  button.textContent = busy ? (next === "incall" ? "Hang up" : "Cancel") : next === "ended" ? "Call again" : "Call";
  button.classList.toggle("end", busy);
  button.disabled = !busy && server?.state !== "ready";
  if ($("status").textContent !== words) $("status").textContent = words;
  $("live").hidden = next !== "incall";
  $("clock").hidden = next !== "incall" && next !== "ended";
  $("hint").hidden = ["calling", "incall", "ended"].includes(next);
}

function problem(trouble, by = "call") {
  const box = $("problem");
  if (!trouble) {
    if (box.dataset.by === by || by === "call") box.hidden = true;
    return;
  }
  const [what, todo] = PROBLEMS[trouble.kind] ?? PROBLEMS.unknown;
  box.dataset.by = by;
  box.dataset.kind = trouble.kind;
  const detail = ["refused", "bot", "unknown"].includes(trouble.kind) ? ` ${trouble.detail}.` : "";
  box.replaceChildren(element("p", {}, element("strong", {}, what), detail), element("p", {}, todo));
  box.hidden = false;
}

function botError(error) {
  const box = $("problem");
  const where = error.line ? `${error.file}, line ${error.line}` : error.file;
  const again = element("button", { type: "button" }, "Load it again");
  again.onclick = () => fetch("load", { method: "POST" });
  const parts = [element("p", {}, element("strong", {}, where), " ", error.message)];
  if (error.code) parts.push(element("pre", {}, element("code", {}, error.code)));
  parts.push(element("p", {}, "Mend it and save: it is loaded again by itself. ", again));
  box.dataset.by = "bot";
  box.dataset.kind = "file";
  box.replaceChildren(...parts);
  box.hidden = false;
}

function showNow() {
  const speaks = now.voice && now.agent ? "both" : now.voice ? "you" : now.agent ? "agent" : "nobody";
  const turn = now.voice ? "yours" : now.paused ? "over?" : now.thinking ? "thinking" : now.agent ? "agent's" : "yours";
  const values = { speaks, voice: now.voice ? "speech" : "silence", turn };
  for (const [id, value] of Object.entries(values)) {
    const box = $(id);
    if (box.dataset.value === value) continue;
    box.dataset.value = value;
    box.lastElementChild.textContent = value;
  }
}

function clock(seconds) {
  $("time").textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

// --- the bot file ------------------------------------------------------------------------------------------------

async function look() {
  let news = null;
  try {
    const answer = await fetch("state", { cache: "no-store" });
    if (answer.ok) news = await answer.json();
  } catch {
    // the server is gone; said below
  }
  const changed = JSON.stringify(news) !== JSON.stringify(server);
  server = news;
  if (changed && !call) showServer();
  setTimeout(look, LOOK);
}

function showServer() {
  if (server) $("bot").textContent = server.bot;
  if (!server) {
    problem({ kind: "gone" }, "server");
    return show("gone");
  }
  problem(null, "server");
  problem(null, "bot");
  if (server.state === "error") botError(server.error);
  if (server.state === "error") show("broken");
  else if (server.state === "loading") show("loading");
  else if (state !== "ended") show("ready");
  else show("ended", $("status").textContent);
}

// --- a call --------------------------------------------------------------------------------------------------------

async function dial() {
  problem(null);
  $("after").hidden = true;
  $("empty").hidden = true;
  $("level").value = 0;
  conversation = new Conversation($("log"));
  now = { voice: false, agent: false, thinking: false, paused: false };
  showNow();
  setMuted(false);
  const mine = (call = new Call(heard));
  try {
    await mine.dial();
  } catch (error) {
    call = null;
    if (error.kind !== "cancelled") problem({ kind: error.kind, detail: error.detail });
    show("ready");
    if (server?.state !== "ready") showServer();
    return;
  }
  const began = performance.now();
  show("incall");
  clock(0);
  timer = setInterval(() => clock((performance.now() - began) / 1000), 500);
}

function heard(kind, detail) {
  if (kind === "state") show(detail);
  else if (kind === "level") meter(detail);
  else if (kind === "trouble") problem(detail);
  else if (kind === "onset") conversation.onset(detail);
  else if (kind === "over") ended(detail);
  else if (kind === "event") happened(detail);
}

function meter({ level, agent }) {
  const loud = Math.max(0, 60 + 20 * Math.log10(level || 1e-9)); // decibels above -60
  const box = $("level");
  box.value = Math.max(loud, box.value - 2);
  document.body.dataset.agent = agent > 0.01 ? "sounds" : "";
}

function happened(event) {
  conversation.event(event);
  if (event.kind === "speech") {
    now.voice = event.speaking;
    now.paused = !event.speaking;
  } else if (event.kind === "turn") Object.assign(now, { paused: false, thinking: true });
  else if (event.kind === "playout") Object.assign(now, { agent: event.playing, thinking: false });
  else if (event.kind === "over" && event.outcome !== "complete") now.thinking = false;
  showNow();
}

function ended({ report, trouble }) {
  clearInterval(timer);
  const id = call.sid;
  call = null;
  const reason = report ? report.reason : trouble ? "connection lost" : "you hung up";
  if (report) clock(report.duration);
  show("ended", `Call ended: ${reason === "caller hung up" ? "you hung up" : reason}.`);
  problem(trouble);
  const box = $("after");
  box.hidden = !report;
  if (report) {
    const link = element("a", { href: `picture/${id}`, target: "_blank", rel: "noopener" }, "The call as a picture");
    box.replaceChildren(element("p", {}, `It lasted ${report.duration.toFixed(1)} s. `, link, " shows both voices and every wait."));
  }
  $("call").focus();
}

function setMuted(muted) {
  call?.mute(muted);
  $("mute").setAttribute("aria-pressed", String(muted));
  $("metered").textContent = muted ? "Microphone off" : "Microphone";
}

function press(key) {
  call.press(key);
  const button = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  button.classList.add("down");
  setTimeout(() => button.classList.remove("down"), 150);
}

// --- buttons and keys ----------------------------------------------------------------------------------------------

$("call").onclick = () => (call ? call.hangUp() : dial());
$("mute").onclick = () => setMuted(!call?.muted);
$("keys").onclick = () => {
  $("keypad").hidden = !$("keypad").hidden;
  $("keys").setAttribute("aria-expanded", String(!$("keypad").hidden));
};
for (const key of KEYS) {
  const label = { "*": "star", "#": "hash" }[key] ?? key;
  const button = element("button", { type: "button", "data-key": key, "aria-label": label }, key);
  button.onclick = () => press(key);
  $("keypad").append(button);
}
addEventListener("keydown", (event) => {
  if (state !== "incall" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key.length === 1 && KEYS.includes(event.key)) press(event.key);
  else if (event.key === "m" || event.key === "M") setMuted(!call.muted);
  else return;
  event.preventDefault();
});
addEventListener("pointerdown", () => call?.context?.state === "suspended" && call.context.resume());
addEventListener("pagehide", () => call?.hangUp());

window.voiceloop = {
  get state() {
    return state;
  },
  get turns() {
    return conversation.turns;
  },
  get call() {
    return call;
  },
};

show("loading", "Connecting to voiceloop talk…");
look();
