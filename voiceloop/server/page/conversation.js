// The conversation as it is heard: bubbles of words, and between them how long each wait was and what it was made of.

const PARTS = {
  endpoint: "silence until your turn was held to be over",
  stt: "until the recogniser had understood all of it",
  llm: "until the model's first words",
  tts: "until the first audio of the voice",
  output: "until it was sent",
  carrier: "until you heard it: the way to this page and back, and your loudspeaker",
};

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const ms = (value) => `${Math.round(value)} ms`;

export class Conversation {
  constructor(list) {
    this.list = list;
    list.replaceChildren();
    this.answers = new Map();
    this.turns = []; // what tests and the curious read: window.voiceloop.turns
    this.caller = null; // the bubble whose words are not settled
    this.spoken = false; // since the last turn
    this.last = null; // the bubble of the turn before
    this.measured = new Map(); // answer to milliseconds, by the page's own clock
    this.waits = new Map();
  }

  event(event) {
    this.following(() => this[`on_${event.kind}`]?.(event));
  }

  /** Who reads the end of the page stays there while it grows; who has scrolled back is left alone. */
  following(change) {
    const page = document.scrollingElement;
    const follows = page.scrollHeight - page.scrollTop - page.clientHeight < 40;
    change();
    if (follows) page.scrollTo(0, page.scrollHeight);
  }

  add(item, before = null) {
    return this.list.insertBefore(item, before);
  }

  bubble(kind, name) {
    const words = element("p");
    return { item: this.add(element("li", { class: kind }, element("span", { class: "who" }, name), words)), words };
  }

  // --- the caller ---

  on_speech({ speaking }) {
    if (speaking) this.spoken = true;
  }

  on_transcript({ text, segment, final }) {
    if (!this.spoken || (!text && !this.caller)) return; // of a turn that is over: a correction comes as a turn
    this.caller ??= { ...this.bubble("you", "You"), before: [], segments: new Map() };
    const caller = this.caller;
    if (caller.segments.get(segment)?.final) {
      // Of the next utterance: a final segment is never revised.
      caller.before.push(...[...caller.segments.values()].map((known) => known.text));
      caller.segments.clear();
    }
    caller.segments.set(segment, { text, final });
    const spoken = [...caller.before, ...[...caller.segments.values()].map((known) => known.text)].filter(Boolean).join(" ");
    caller.words.replaceChildren(element("span", { class: "guess" }, spoken));
  }

  on_turn({ text, continued }) {
    const caller = this.caller ?? this.bubble("you", "You");
    caller.words.textContent = text;
    if (continued) this.last?.remove(); // the caller went on: both are one turn
    this.last = caller.item;
    this.caller = null;
    this.spoken = false;
  }

  on_digit({ digit }) {
    this.add(element("li", { class: "digit" }, "You pressed ", element("kbd", {}, digit)));
  }

  // --- the agent ---

  on_answer({ answer, to_turn }) {
    this.answers.set(answer, { to_turn, text: "", heard: "", unheard: null, played: false, outcome: null, final: false });
  }

  on_text({ answer, text }) {
    this.change(answer, { text });
  }

  on_playout({ answer, playing }) {
    if (playing) this.change(answer, { played: true });
  }

  on_heard({ answer, heard, unheard, final }) {
    this.change(answer, { heard, unheard, final });
  }

  on_over({ answer, outcome }) {
    this.change(answer, { outcome });
  }

  change(id, news) {
    const answer = this.answers.get(id);
    if (!answer) return;
    Object.assign(answer, news);
    const cut = answer.outcome !== null && answer.outcome !== "complete";
    if (cut && !answer.played && !answer.heard) return answer.item?.remove(); // nobody will ever have heard of it
    if (!answer.text) return;
    if (!answer.item) Object.assign(answer, this.bubble("agent", "Agent"));
    const known = answer.text.startsWith(answer.heard);
    const rest = known && !answer.final ? answer.text.slice(answer.heard.length) : (answer.unheard ?? answer.text);
    answer.words.replaceChildren(element("span", { class: "heard" }, answer.heard));
    if (!rest.trim()) return;
    const space = /\s$/.test(answer.heard) || /^\s/.test(rest) || !answer.heard ? "" : " ";
    const shown = cut ? element("s", {}, rest.trim()) : element("span", { class: "unheard" }, rest.trim());
    answer.words.append(space || " ", shown);
    if (cut) shown.append(element("span", { class: "hidden" }, " (not heard)"));
  }

  on_fault({ fault, message }) {
    this.add(element("li", { class: "fault" }, element("strong", {}, fault), ` ${message}`));
  }

  on_lost() {
    this.add(element("li", { class: "fault" }, "This page was too slow to show all that happened."));
  }

  // --- the wait ---

  /** The page heard the first sound of an answer. */
  onset({ onset, wait }) {
    const id = Number(onset.split(":")[1]);
    if (wait === null || !this.answers.get(id)?.to_turn || this.measured.has(id)) return;
    this.measured.set(id, wait);
    this.following(() => this.wait(id).replaceChildren(element("p", {}, element("strong", {}, ms(wait)), " until the answer")));
  }

  wait(id) {
    if (!this.waits.has(id)) {
      this.waits.set(id, this.add(element("li", { class: "wait" }), this.answers.get(id)?.item ?? null));
    }
    return this.waits.get(id);
  }

  on_waited(turn) {
    const measured = this.measured.get(turn.answer) ?? null;
    this.turns.push({ ...turn, measured_ms: measured === null ? null : Math.round(measured * 10) / 10 });
    if (!turn.latency_ms) return;
    const { total, ...parts } = turn.latency_ms;
    const line = element("p", {}, element("strong", {}, ms(total)), " until the answer");
    if (measured !== null) line.append(element("span", { class: "measured" }, `${ms(measured)} measured here`));
    const bar = element("div", { class: "bar", "aria-hidden": "true" });
    const legend = element("ul", { "aria-label": "Made of" });
    for (const [name, value] of Object.entries(parts)) {
      const part = element("i", { class: name, title: `${name}: ${ms(value)}, ${PARTS[name] ?? ""}` });
      part.style.flexGrow = Math.max(value, 0.001);
      bar.append(part);
      const text = element("li", { class: name, title: PARTS[name] ?? "" }, `${name} `, element("b", {}, String(Math.round(value))));
      legend.append(text);
    }
    this.wait(turn.answer).replaceChildren(line, bar, legend);
  }
}
