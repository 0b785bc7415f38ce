// The telephone inside the audio thread. Microphone: resampled, coded, cut into frames of 20 ms, each with the number of
// samples before it as its time. Loudspeaker: one queue of audio and marks, as Twilio has for a call. Both run by the
// same clock, the audio device's; what the page measures is counted in its samples.

import { DECODE, RATE, Resampler, SpeechEnd, encode } from "./dsp.js";

const BLOCK = 160; // samples of a frame: 20 ms
const AUDIBLE = 100; // amplitude of 32768 from which something is a sound
const FADE = 40; // samples over which a cut fades, instead of clicking
const CAPACITY = 600 * RATE; // the most that is held, as at Twilio

class Phone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.down = new Resampler(sampleRate, RATE);
    this.up = new Resampler(RATE, sampleRate);
    this.speech = new SpeechEnd();
    this.live = false; // frames are sent
    this.muted = false;
    this.began = 0; // native frame of the call's first sample
    this.spoken = 0; // samples of the microphone since the call began
    this.skipped = 0; // milliseconds that the sound card has lost
    this.skippedAtEnd = 0; // the same when speech last ended
    this.block = new Uint8Array(BLOCK);
    this.filled = 0;
    this.loud = 0; // peaks of this block
    this.agentLoud = 0;
    this.queue = []; // chunks of audio { data, at } and marks { mark }
    this.buffered = 0;
    this.tail = []; // the fading end of what was cut
    this.latency = 0; // native frames from the output to the ear
    this.echoes = []; // marks on their way to the ear: { mark, due }
    this.answer = null; // the start mark whose first sound has not come yet
    this.port.onmessage = ({ data }) => this.take(data);
    this.emit = (sample) => this.heard(sample);
    this.next = () => this.play();
  }

  take(message) {
    if (message.media) this.append(message.media);
    else if (message.mark) this.queue.push(message);
    else if (message.clear) this.clear();
    else if (message.latency !== undefined) this.latency = Math.round(message.latency * sampleRate);
    else if (message.skip) this.skipped += message.skip;
    if (message.muted !== undefined) this.muted = message.muted;
    if (message.start) {
      this.live = true;
      this.spoken = this.filled = 0;
      this.speech = new SpeechEnd();
    }
  }

  process([input], [output]) {
    this.frame = currentFrame;
    const [first, second] = input;
    const size = output[0].length;
    for (let i = 0; i < size; i++, this.frame++) {
      // Without a microphone the line stays up, and is silent.
      const sample = this.muted || !first ? 0 : second ? (first[i] + second[i]) / 2 : first[i];
      this.down.push(sample, this.emit);
    }
    this.frame = currentFrame;
    for (let i = 0; i < size; i++, this.frame++) {
      const sample = this.up.pull(this.next);
      for (const channel of output) channel[i] = sample;
    }
    if (this.echoes.length && this.echoes[0].due <= this.frame) {
      const due = this.echoes.findIndex((echo) => echo.due > this.frame);
      const reached = this.echoes.splice(0, due < 0 ? this.echoes.length : due);
      this.port.postMessage({ echo: reached.map((echo) => echo.mark) });
    }
    return true;
  }

  // --- the microphone ---

  heard(sample) {
    this.loud = Math.max(this.loud, Math.abs(sample));
    const code = encode(sample);
    if (this.live && !this.spoken && !this.filled) this.began = this.frame - this.down.half;
    this.block[this.filled++] = code;
    if (this.live && this.speech.put(DECODE[code])) this.skippedAtEnd = this.skipped;
    if (this.filled < BLOCK) return;
    const news = { level: this.loud, agent: this.agentLoud, buffered: this.buffered / RATE };
    if (this.live) {
      news.frame = this.block;
      news.timestamp = (this.spoken * 1000) / RATE + this.skipped;
      this.block = new Uint8Array(BLOCK);
      this.spoken += BLOCK;
    }
    this.filled = this.loud = this.agentLoud = 0;
    this.port.postMessage(news, news.frame ? [news.frame.buffer] : []);
  }

  // --- the loudspeaker ---

  append(data) {
    const room = CAPACITY - this.buffered;
    if (data.length > room) data = data.subarray(0, room);
    if (data.length) this.queue.push({ data, at: 0 });
    this.buffered += data.length;
  }

  /** The next sample that is due; what comes too late is not caught up. */
  play() {
    while (this.queue.length && this.queue[0].mark) this.echo(this.queue.shift().mark);
    const chunk = this.queue[0];
    let value = this.tail.length ? this.tail.shift() : 0;
    if (chunk) {
      value += DECODE[chunk.data[chunk.at++]];
      this.buffered--;
      if (chunk.at === chunk.data.length) this.queue.shift();
      if (this.answer && Math.abs(value) > AUDIBLE) this.sounds();
    }
    this.agentLoud = Math.max(this.agentLoud, Math.abs(value) / 32768);
    return value / 32768;
  }

  clear() {
    const chunk = this.queue.find((item) => item.data);
    const rest = chunk ? chunk.data.subarray(chunk.at, chunk.at + FADE) : [];
    this.tail = Array.from(rest, (code, i) => DECODE[code] * (1 - (i + 1) / (rest.length + 1)));
    const marks = this.queue.filter((item) => item.mark);
    this.queue = [];
    this.buffered = 0;
    this.frame = currentFrame;
    for (const { mark } of marks) this.echo(mark);
    this.answer = null;
  }

  /** Native frames from a sample's leaving the queue to the ear. */
  get way() {
    return (this.up.half * sampleRate) / RATE + this.latency;
  }

  // A mark is told when it is heard: so what the agent reports is what the ear waits. The burst of a clear is delayed
  // alike, as on a longer line: the agent tells played marks from dropped ones by what comes together.
  echo(mark) {
    this.echoes.push({ mark, due: this.frame + this.way });
    if (mark.startsWith("s:")) this.answer = mark; // in front of an answer's first sound
  }

  /** The first sound of an answer: how long ago did the caller stop speaking? In samples of the same clock. */
  sounds() {
    const at = this.frame + this.way;
    const end = this.speech.end;
    const spoke = end < 0 ? null : this.began + (end * sampleRate) / RATE;
    this.port.postMessage({
      onset: this.answer,
      at: ((at - this.began) * 1000) / sampleRate + this.skipped,
      wait: spoke === null ? null : ((at - spoke) * 1000) / sampleRate + this.skipped - this.skippedAtEnd,
    });
    this.answer = null;
  }
}

registerProcessor("phone", Phone);
