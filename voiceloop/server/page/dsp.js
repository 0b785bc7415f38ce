// Sound between the browser's format and the phone's: mu-law, 8000 samples a second. Pure: no clock, no I/O.

export const RATE = 8000;

// --- mu-law (ITU-T G.711), the same tables as voiceloop/audio/mulaw.py ---------------------------------------

export const DECODE = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff;
  const magnitude = (((((bits & 15) << 1) + 33) << ((bits >> 4) & 7)) - 33) << 2;
  return bits & 0x80 ? -magnitude : magnitude;
});

/** A sample of -1 … 1 as a mu-law byte. */
export function encode(sample) {
  const value = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
  const biased = Math.min(((value < 0 ? ~value : value) >> 2) + 33, 8191);
  const segment = 26 - Math.clz32(biased);
  const code = (segment << 4) | ((biased >> (segment + 1)) & 15);
  return ~(value < 0 ? code | 0x80 : code) & 0xff;
}

// --- resampling ----------------------------------------------------------------------------------------------

const ZEROS = 16; // crossings of the sinc on either side
const PHASES = 128; // positions between two samples; in between it is interpolated
const PASS = 0.9; // of the lower band that passes: 3600 Hz of the phone's 4000
const BETA = 8; // of the Kaiser window: what lies beyond the band is 70 dB down

function bessel(x) {
  let sum = 1;
  for (let k = 1, term = 1; term > 1e-12 * sum; k++) sum += term *= (x / 2 / k) ** 2;
  return sum;
}

/** A low-pass filter at every position between two input samples. `half`: input samples it looks ahead and back. */
function filters(from, to) {
  const cut = (PASS * Math.min(1, to / from)) / 2; // cycles per input sample
  const half = Math.ceil(ZEROS / (2 * cut));
  const rows = [];
  for (let phase = 0; phase <= PHASES; phase++) {
    const row = new Float32Array(2 * half);
    let sum = 0;
    for (let k = 0; k < row.length; k++) {
      const x = k - half + 1 - phase / PHASES;
      const sinc = x ? Math.sin(2 * Math.PI * cut * x) / (Math.PI * x) : 2 * cut;
      sum += row[k] = sinc * bessel(BETA * Math.sqrt(Math.max(0, 1 - (x / half) ** 2)));
    }
    for (let k = 0; k < row.length; k++) row[k] /= sum;
    rows.push(row);
  }
  return { half, rows };
}

/** Any rate to any other. Positions are counted in whole numbers, so nothing drifts, however long it runs. */
export class Resampler {
  constructor(from, to) {
    Object.assign(this, filters(from, to));
    this.from = from;
    this.to = to;
    this.taps = 2 * this.half;
    this.past = new Float32Array(2 * this.taps); // twice the same, so that the latest are always in one piece
    this.at = 0;
    this.step = 0; // where the next output lies behind the middle of `past`, in 1/to input samples
  }

  put(sample) {
    this.past[this.at] = this.past[this.at + this.taps] = sample;
    this.at = (this.at + 1) % this.taps;
  }

  sample() {
    const place = (this.step / this.to) * PHASES;
    const phase = Math.floor(place);
    const part = place - phase;
    const low = this.rows[phase];
    const high = this.rows[phase + 1];
    let a = 0;
    let b = 0;
    for (let k = 0, i = this.at; k < this.taps; k++, i++) {
      a += low[k] * this.past[i];
      b += high[k] * this.past[i];
    }
    this.step += this.from;
    return a + part * (b - a);
  }

  /** Give an input sample; `emit` gets the outputs that are due. They lag `half` input samples behind. */
  push(sample, emit) {
    this.put(sample);
    while (this.step < this.to) emit(this.sample());
    this.step -= this.to;
  }

  /** The next output; `next` gives the input samples it needs. Lags `half` input samples behind as well. */
  pull(next) {
    while (this.step >= this.to) {
      this.step -= this.to;
      this.put(next());
    }
    return this.sample();
  }
}

// --- where speech ends ---------------------------------------------------------------------------------------

export const FRAME = 80; // samples judged together: 10 ms
const FLOOR = 60; // no speech below this amplitude of 32768 (-55 dBFS)
const BELOW_PEAK = 30; // nor 30 dB below the loudest of the last second and a half: as voiceloop/vad/speech_end.py
const ABOVE_NOISE = 2; // nor less than 6 dB above the noise of the room
const PEAK_FRAMES = 150;
const LATER = 36; // frames after which one is judged: the agent's side looks back too, when it notices the silence
const NOISE_FRAMES = 300; // the noise is the level that a twentieth of the last three seconds stay below
const RUN = 8; // frames that a sound must last to be speech
const NEAR = 25; // frames behind speech within which a shorter one belongs to it: the t of "sweet"

/** Remembers the last sound of speech on the microphone's line. */
export class SpeechEnd {
  constructor() {
    this.levels = []; // of the last three seconds
    this.frames = 0;
    this.sum = 0;
    this.count = 0;
    this.noise = 0;
    this.run = 0; // frames in a row above the threshold
    this.end = -1; // one past the last sample of speech; -1 before any
  }

  /** The next sample, as 16-bit amplitude. Says whether `end` has moved. */
  put(sample) {
    this.sum += sample * sample;
    if (++this.count < FRAME) return false;
    const level = Math.sqrt(this.sum / FRAME);
    this.sum = this.count = 0;
    this.frames++;
    this.levels.push(level);
    if (this.levels.length > NOISE_FRAMES) this.levels.shift();
    if (this.frames % 25 === 0) {
      const sorted = Float32Array.from(this.levels).sort();
      this.noise = sorted[Math.floor(sorted.length / 20)];
    }
    const at = this.levels.length - 1 - LATER;
    return at >= 0 && this.judge(this.levels[at], (this.frames - LATER) * FRAME);
  }

  judge(level, end) {
    let peak = 0;
    for (let i = Math.max(0, this.levels.length - PEAK_FRAMES); i < this.levels.length; i++)
      peak = Math.max(peak, this.levels[i]);
    const speech = level > Math.max(FLOOR, peak / BELOW_PEAK, ABOVE_NOISE * this.noise);
    this.run = speech ? this.run + 1 : 0;
    const near = this.end >= 0 && end - this.end <= NEAR * FRAME;
    const moved = this.run >= RUN || (speech && near);
    if (moved) this.end = end;
    return moved;
  }
}
