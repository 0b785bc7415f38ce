// Plays the call from any place. The sound is decoded when it is first wanted.

class Player {
  constructor(moved) {
    this.moved = moved; // called with the position while it plays, and once when it stops
    this.position = 0;
    this.began = 0; // where playing was started
    this.samples = null;
    this.context = null;
    this.source = null;
  }

  get playing() { return this.source !== null; }

  decode() {
    if (this.samples === null && call.sound) this.samples = decodeSound(call.sound, bytesOf($("sound").textContent));
    return this.samples;
  }

  /** Play from a place until the end, or until something else is asked for. */
  play(from) {
    this.halt();
    if (!this.decode()?.length) return;
    if (this.context === null) {
      this.context = new AudioContext();
      this.buffer = this.context.createBuffer(1, this.samples.length, call.sound.rate);
      this.buffer.copyToChannel(this.samples, 0);
    }
    this.context.resume();
    this.position = this.began = clamp(from, 0, call.duration);
    if (this.position >= this.buffer.duration) this.position = this.began = 0;
    const source = this.context.createBufferSource();
    source.buffer = this.buffer;
    source.connect(this.context.destination);
    source.onended = () => {
      if (this.source !== source) return;
      this.position = call.duration;
      this.halt();
    };
    source.start(0, this.position);
    this.source = source;
    this.zero = this.context.currentTime - this.position;
    this.follow();
  }

  follow() {
    if (!this.playing) return;
    // What is heard now was handed over a latency ago.
    const at = this.context.currentTime - (this.context.outputLatency || 0) - this.zero;
    this.position = clamp(at, this.began, call.duration);
    this.moved(this.position);
    this.frame = requestAnimationFrame(() => this.follow());
  }

  halt() {
    const source = this.source;
    this.source = null;
    if (source) source.stop();
    cancelAnimationFrame(this.frame);
    this.moved(this.position);
  }

  /** Go to a place; what plays goes on from there. */
  seek(at) {
    this.position = clamp(at, 0, call.duration);
    if (this.playing) this.play(this.position);
    else this.moved(this.position);
  }
}
