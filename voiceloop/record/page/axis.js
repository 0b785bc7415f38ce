// The time axis: which part of the call is seen, and its waveforms. Only what is visible is drawn.

const ROWS = { ruler: 0, said: 24, caller: 82, wait: 172, agent: 222, words: 312, cut: 352, moment: 376, wire: 400 };
const WAVE = 84;
const BAR = { top: 14, height: 22 }; // of a wait, in its lane
const READABLE = 110; // pixels a second at which words can be read
const FROM_LINES = 12; // below, lines across the voices would hide them
const MOST = 1500;
const QUIET = ["interruption", "clear", "resume"]; // drawn elsewhere
const eventful = call.moments.some(([, kind]) => !QUIET.includes(kind));

class Axis {
  constructor(box) {
    this.box = box;
    this.sheet = $("sheet");
    this.canvas = $("waves");
    this.overview = $("overview");
    this.labels = new Labels($("labels"), this);
    this.wire = false;
    this.scale = 0;
    this.colours = {};
    this.waiting = 0;
  }

  get left() { return this.box.scrollLeft; }
  get width() { return this.box.clientWidth; }
  get height() { return this.wire ? ROWS.wire + 24 : eventful ? ROWS.wire : ROWS.moment - 1; }
  get fitting() { return Math.max(0.01, this.width - 24) / Math.max(0.25, call.duration); }
  x(at) { return at * this.scale; }
  at(x) { return clamp(x / this.scale, 0, call.duration); }

  /** Show so many pixels a second; the time at `x` pixels from the left edge stays there. */
  zoom(scale, x = this.width / 2) {
    const at = this.scale ? (this.left + x) / this.scale : 0;
    this.scale = clamp(scale, Math.min(this.fitting, READABLE), Math.max(this.fitting, MOST));
    this.sheet.style.width = `${Math.max(this.width, Math.ceil(this.x(call.duration)) + 24)}px`;
    this.box.scrollLeft = at * this.scale - x;
    this.labels.stale = true;
    this.draw();
  }

  /** Bring a time into view. */
  reveal(at, share = 0.25) {
    const x = this.x(at) - this.left;
    if (x < 0 || x > this.width - 20) this.box.scrollLeft = this.x(at) - this.width * share;
  }

  /** Draw soon: many causes, one drawing. */
  ask() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.draw());
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["page", "card", "ink", "soft", "edge", "grid", "caller", "caller-soft", "agent", "agent-soft", "cut",
      "warn-edge", "endpoint", "stt", "llm", "tts", "output", "carrier"]) this.colours[name] = style.getPropertyValue(`--${name}`).trim();
  }

  draw() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    this.sheet.style.height = `${this.height}px`;
    const pen = sized(this.canvas, this.width, this.height);
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${this.height}px`;
    const from = Math.max(0, this.left / this.scale - 0.5);
    const to = (this.left + this.width) / this.scale + 0.5;
    pen.translate(-this.left, 0);
    this.drawGrid(pen, from, to);
    this.drawSpeech(pen, from, to);
    this.drawCaller(pen);
    this.drawAgent(pen);
    this.drawWaits(pen, from, to);
    this.drawCuts(pen, from, to);
    if (this.scale >= FROM_WORDS) this.drawWordTicks(pen, from, to);
    if (this.wire) this.drawWire(pen, from, to);
    this.labels.show(from, to);
    this.drawOverview();
  }

  drawGrid(pen, from, to) {
    const { grid, edge } = this.colours;
    const step = tickStep(this.scale);
    pen.fillStyle = grid;
    for (let tick = Math.floor(from / step); tick * step <= Math.min(to, call.duration); tick++) pen.fillRect(Math.round(this.x(tick * step)), 0, 1, this.height);
    pen.fillStyle = edge;
    for (const row of [ROWS.said - 2, ROWS.wait - 3, ROWS.agent - 3, ROWS.moment - 3]) pen.fillRect(this.left, row, this.width, 1);
    pen.fillRect(Math.round(this.x(call.duration)), 0, 2, this.height);
  }

  drawSpeech(pen, from, to) {
    for (const [start, end] of call.speech) {
      if (end < from || start > to) continue;
      pen.fillStyle = this.colours["caller-soft"];
      pen.fillRect(this.x(start), ROWS.caller, this.x(end) - this.x(start), WAVE);
      pen.fillStyle = this.colours.caller;
      pen.fillRect(this.x(start), ROWS.caller + WAVE - 3, this.x(end) - this.x(start), 3);
    }
    pen.fillStyle = this.colours["agent-soft"];
    for (const answer of call.answers) {
      for (const [start, end] of answer.sounds) if (end >= from && start <= to) pen.fillRect(this.x(start), ROWS.agent, this.x(end) - this.x(start), WAVE);
    }
    for (const [start, end] of call.pauses) if (end >= from && start <= to) this.drawPause(pen, start, end);
  }

  /** The agent holds its breath: stripes. */
  drawPause(pen, start, end) {
    pen.save();
    pen.beginPath();
    pen.rect(this.x(start), ROWS.agent, this.x(end) - this.x(start), WAVE);
    pen.clip();
    pen.strokeStyle = this.colours.soft;
    pen.beginPath();
    const first = Math.max(this.x(start), this.left - WAVE) - WAVE;
    for (let x = first; x < Math.min(this.x(end), this.left + this.width); x += 8) {
      pen.moveTo(x, ROWS.agent + WAVE);
      pen.lineTo(x + WAVE, ROWS.agent);
    }
    pen.stroke();
    pen.restore();
  }

  /** The caller: bars with gaps. */
  drawCaller(pen) {
    pen.fillStyle = this.colours.caller;
    const middle = ROWS.caller + WAVE / 2;
    for (let x = Math.floor(this.left / 3) * 3; x < this.left + this.width; x += 3) {
      const half = Math.max(0.5, this.loudest("caller", x, x + 3) * (WAVE / 2 - 4));
      if (x <= this.x(call.duration)) pen.fillRect(x, middle - half, 2, half * 2);
    }
  }

  /** The agent: a filled shape. */
  drawAgent(pen) {
    pen.fillStyle = this.colours.agent;
    const middle = ROWS.agent + WAVE / 2;
    const end = Math.min(this.left + this.width, this.x(call.duration));
    const halves = [];
    for (let x = Math.floor(this.left); x < end; x++) halves.push(Math.max(0.5, this.loudest("agent", x, x + 1) * (WAVE / 2 - 4)));
    pen.beginPath();
    pen.moveTo(this.left, middle);
    halves.forEach((half, x) => pen.lineTo(Math.floor(this.left) + x, middle - half));
    for (let x = halves.length - 1; x >= 0; x--) pen.lineTo(Math.floor(this.left) + x, middle + halves[x]);
    pen.fill();
  }

  /** The largest value of an outline between two places, 0..1; between values it runs straight from one to the next. */
  loudest(voice, left, right) {
    const values = outline[voice];
    const first = left / this.scale / STEP;
    const last = right / this.scale / STEP;
    if (last - first < 1) {
      const index = Math.floor(first);
      return ((values[index] ?? 0) + ((values[index + 1] ?? 0) - (values[index] ?? 0)) * (first - index)) / 255;
    }
    let most = 0;
    for (let index = Math.max(0, Math.floor(first)); index < Math.min(last, values.length); index++) most = Math.max(most, values[index]);
    return most / 255;
  }

  drawWaits(pen, from, to) {
    for (const { wait } of call.turns) {
      if (!wait || wait.end < from || wait.start > to) continue;
      if (this.scale >= FROM_LINES) this.drawEdges(pen, wait);
      for (const [name, start, end] of wait.parts) {
        pen.fillStyle = this.colours[name];
        pen.fillRect(this.x(start), ROWS.wait + BAR.top, this.x(end) - this.x(start), BAR.height);
      }
    }
  }

  /** Where each word begins: its text may stand a little later. */
  drawWordTicks(pen, from, to) {
    pen.fillStyle = this.colours.agent;
    for (let index = Math.max(0, lastBefore(call.words, from, (word) => word[1])); index < call.words.length; index++) {
      if (call.words[index][1] > to) break;
      pen.fillRect(this.x(call.words[index][1]), ROWS.agent + WAVE, 1.5, 5);
    }
  }

  /** From the caller's last sample down to the wait, from the wait down to the agent's first sound. */
  drawEdges(pen, wait) {
    pen.strokeStyle = this.colours.ink;
    pen.setLineDash([3, 3]);
    pen.beginPath();
    for (const [at, top, bottom] of [[wait.start, ROWS.caller, ROWS.wait + BAR.top], [wait.end, ROWS.wait + BAR.top, ROWS.agent + WAVE]]) {
      const x = Math.round(this.x(at)) + 0.5;
      pen.moveTo(x, top);
      pen.lineTo(x, bottom);
    }
    pen.stroke();
    pen.setLineDash([]);
  }

  drawCuts(pen, from, to) {
    pen.fillStyle = this.colours.cut;
    const top = this.scale >= FROM_LINES ? ROWS.caller : ROWS.words;
    for (const cut of call.cuts) if (cut.interrupted && cut.at >= from && cut.at <= to) pen.fillRect(this.x(cut.at) - 1, top, 2, ROWS.cut + 18 - top);
    for (const [at, kind] of call.moments) {
      if (QUIET.includes(kind) || at < from || at > to) continue;
      pen.fillStyle = kind === "fault" ? this.colours["warn-edge"] : this.colours.soft;
      pen.fillRect(this.x(at), ["digit", "aside"].includes(kind) ? ROWS.caller : ROWS.agent, kind === "fault" ? 2 : 1, ROWS.moment - (["digit", "aside"].includes(kind) ? ROWS.caller : ROWS.agent));
    }
  }

  /** Marks downwards, their echoes upwards, transcripts as dots. */
  drawWire(pen, from, to) {
    for (let index = Math.max(0, lastBefore(call.wire, from, (moment) => moment[0])); index < call.wire.length; index++) {
      const [at, kind] = call.wire[index];
      if (at > to) break;
      pen.fillStyle = kind === "transcript" ? this.colours.caller : kind === "mark" ? this.colours.agent : this.colours.soft;
      const top = ROWS.wire + (kind === "mark" ? 1 : kind === "echo" ? 11 : 6);
      if (kind === "transcript") pen.fillRect(this.x(at) - 3, top, 6, 6);
      else pen.fillRect(this.x(at), top, 1.5, 9);
    }
  }

  /** The whole call in a strip, and which part of it is seen. */
  drawOverview() {
    const width = this.overview.clientWidth;
    const height = this.overview.clientHeight;
    const pen = sized(this.overview, width, height);
    const scale = width / Math.max(0.25, call.duration);
    for (const [voice, middle] of [["caller", 12], ["agent", 32]]) {
      pen.fillStyle = this.colours[voice];
      const step = voice === "caller" ? 3 : 1;
      for (let x = 0; x < width; x += step) {
        const half = Math.max(0.5, stripPeak(voice, x / scale, (x + step) / scale) * 9);
        pen.fillRect(x, middle - half, voice === "caller" ? 2 : 1, half * 2);
      }
    }
    pen.fillStyle = this.colours.cut;
    for (const cut of call.cuts) if (cut.interrupted) pen.fillRect(cut.at * scale - 1, 0, 2, height);
    pen.fillStyle = this.colours["warn-edge"];
    for (const [at, kind] of call.moments) if (kind === "fault") pen.fillRect(at * scale - 1, 0, 3, height);
    pen.fillStyle = this.colours.soft;
    const seen = [(this.left / this.scale) * scale, Math.min(width, ((this.left + this.width) / this.scale) * scale)];
    pen.globalAlpha = 0.22;
    pen.fillRect(0, 0, seen[0], height);
    pen.fillRect(seen[1], 0, width - seen[1], height);
    pen.globalAlpha = 1;
    pen.strokeStyle = this.colours.ink;
    pen.strokeRect(seen[0] + 0.5, 0.5, Math.max(2, seen[1] - seen[0] - 1), height - 1);
  }
}

/** The peak of a stretch of seconds; of a long one a sample of its values, for a strip needs no more. */
function stripPeak(voice, from, to) {
  const values = outline[voice];
  const last = Math.min(values.length, Math.max(Math.floor(from / STEP) + 1, Math.floor(to / STEP)));
  let most = 0;
  for (let index = Math.floor(from / STEP); index < last; index++) most = Math.max(most, values[index]);
  return most / 255;
}

/** A canvas of so many CSS pixels, sharp on any screen, and a pen for it. */
function sized(canvas, width, height) {
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  const [wide, high] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

/** Seconds between ticks, so that their labels do not touch. */
function tickStep(scale) {
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
  return steps.find((step) => step * scale >= 64) ?? 3600;
}
