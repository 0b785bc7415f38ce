// The texts on the time axis: real text, of which only the visible part and a margin is in the document.

const FROM_WORDS = 62; // pixels a second from which single words are shown; below, whole answers
const MARGIN = 600; // pixels of labels kept on either side
const LATE = 36; // pixels a word may stand to the right of its time before the text goes on in the other row

const GAP = 24; // pixels between words after which the text begins in the first row again

class Labels {
  constructor(box, axis) {
    this.box = box;
    this.axis = axis;
    this.pen = document.createElement("canvas").getContext("2d");
    this.widths = new Map();
    this.stale = true;
    this.made = [0, 0];
    this.placed = { scale: 0, words: [] };
    this.now = null;
  }

  /** How wide a text is in the font of the labels. */
  wide(text) {
    let width = this.widths.get(text);
    if (width === undefined) {
      this.pen.font = getComputedStyle(this.box).font;
      width = this.pen.measureText(text).width;
      this.widths.set(text, width);
    }
    return width;
  }

  show(from, to) {
    if (!this.stale && from >= this.made[0] && to <= this.made[1]) return;
    const margin = MARGIN / this.axis.scale;
    [from, to] = [from - margin, to + margin];
    this.made = [from, to];
    this.stale = false;
    this.fresh = document.createDocumentFragment();
    this.ticks(from, to);
    this.turns(from, to);
    if (this.axis.scale >= FROM_WORDS) this.words(from, to);
    else this.answers(from, to);
    this.cuts(from, to);
    this.moments(from, to);
    this.box.replaceChildren(this.fresh);
  }

  put(made, left, top, width = 0) {
    made.style.left = `${left}px`;
    made.style.top = `${top}px`;
    if (width) made.style.width = `${width}px`;
    this.fresh.append(made);
    return made;
  }

  ticks(from, to) {
    const step = tickStep(this.axis.scale);
    const decimals = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
    for (let tick = Math.max(0, Math.floor(from / step)); tick * step <= Math.min(to, call.duration); tick++) {
      this.put(element("span", "tick", clock(tick * step, decimals)), this.axis.x(tick * step), 3);
    }
  }

  /** What the caller said, above the voice, as wide as the place up to the next turn. */
  turns(from, to) {
    call.turns.forEach((turn, index) => {
      const left = this.axis.x(turn.start);
      const next = this.axis.x(call.turns[index + 1]?.start ?? call.duration) + (index + 1 < call.turns.length ? -8 : 20);
      const width = Math.min(next - left, Math.max(this.axis.x(turn.end) - left, Math.min(320, this.wide(turn.text) + 48)));
      if (width >= 40 && turn.start <= to && this.axis.at(left + width) >= from) {
        const made = element("div", turn.number ? "turn" : "turn lost");
        made.dir = "auto";
        made.dataset.at = turn.start;
        made.append(element("b", "", turn.number ? String(turn.number) : "–"), turn.text);
        this.put(made, left, ROWS.said + 3, width);
      }
      if (turn.wait && turn.wait.end >= from && turn.wait.start <= to) this.wait(turn.wait, next);
    });
  }

  /** Names above a wait's parts, milliseconds in them, where there is room; the total behind. */
  wait(wait, next) {
    for (const [name, start, end, ms] of wait.parts) {
      const [left, width] = [this.axis.x(start), this.axis.x(end) - this.axis.x(start)];
      if (this.wide(name) * 0.9 < width) this.put(element("span", "part", name), left, ROWS.wait - 2, width);
      const number = ms.toFixed(0);
      if (this.wide(number) * 0.9 < width) this.put(element("span", "part ms", number), left, ROWS.wait + BAR.top + 3, width);
    }
    const total = `${((wait.end - wait.start) * 1000).toFixed(0)} ms`;
    const right = this.axis.x(wait.end);
    if (right + this.wide(total) < next) this.put(element("span", "total", total), right, ROWS.wait + BAR.top + 3);
  }

  /** The row and place of every word at this zoom: at its time, or a little later where words are dense. */
  place() {
    const ends = [-Infinity, -Infinity];
    let row = 0;
    const words = call.words.map((word) => {
      const left = this.axis.x(word[1]);
      if (Math.max(...ends) + GAP < left) row = 0;
      else if (ends[row] - left > LATE && ends[1 - row] < ends[row]) row = 1 - row; // the text goes on there
      const at = Math.max(left, ends[row]);
      ends[row] = at + this.wide(word[0]) + 4;
      return [word, at, row];
    });
    this.placed = { scale: this.axis.scale, words };
  }

  words(from, to) {
    if (this.placed.scale !== this.axis.scale) this.place();
    this.spans = new Map();
    const words = this.placed.words;
    for (let index = Math.max(0, lastBefore(words, from, (placed) => placed[0][1])); index < words.length; index++) {
      const [word, left, row] = words[index];
      if (word[1] > to) break;
      const made = element("span", word[4] ? "word" : "word guessed", word[0]);
      made.dataset.at = word[1];
      this.spans.set(word, this.put(made, left, ROWS.words + 2 + row * 18));
    }
    this.mark(this.now);
  }

  /** Too small for words: what was heard, as far as it fits. */
  answers(from, to) {
    this.spans = new Map();
    call.answers.forEach((answer, index) => {
      const left = this.axis.x(answer.sounds[0][0]);
      const next = this.axis.x(call.answers[index + 1]?.sounds[0][0] ?? call.duration);
      const width = Math.min(next - left - 6, this.wide(answer.text) + 12);
      if (width < 24 || answer.sounds[0][0] > to || this.axis.at(next) < from) return;
      const made = element("span", "answer", answer.text);
      made.dir = "auto";
      made.dataset.at = answer.sounds[0][0];
      this.put(made, left, ROWS.words + 2, width);
    });
  }

  /** Where an answer was cut off, and what was not heard of it. */
  cuts(from, to) {
    call.cuts.forEach((cut, index) => {
      const left = this.axis.x(cut.at);
      const next = this.axis.x(call.cuts[index + 1]?.at ?? call.duration) + (index + 1 < call.cuts.length ? 0 : 20);
      if (cut.at > to || this.axis.at(next) < from) return;
      const made = element("div", "lost-words");
      made.append(element("b", "", cut.interrupted ? "interrupted" : "not heard"));
      const text = element("del", "", cut.text);
      text.dir = "auto";
      made.append(text);
      const width = Math.min(next - left - 6, this.wide(cut.text) + 110, 460);
      if (width >= 24) this.put(made, Math.max(0, left - 1), ROWS.cut + 1, width);
    });
  }

  moments(from, to) {
    let free = -Infinity;
    for (const [at, kind, text] of call.moments) {
      if (at > to) break;
      if (QUIET.includes(kind) || at < from) continue;
      const left = this.axis.x(at);
      if (left < free) continue;
      const label = { digit: `key ${text}`, aside: `“${text}” (aside)`, pause: text || kind }[kind] ?? kind;
      const made = element("span", `moment ${kind}`, label);
      made.dataset.at = at;
      this.put(made, left, ROWS.moment + 1);
      free = left + this.wide(label) + 14;
    }
  }

  /** Light up the word that sounds. */
  mark(word) {
    this.spans?.get(this.now)?.classList.remove("now");
    this.now = word;
    this.spans?.get(word)?.classList.add("now");
  }
}
