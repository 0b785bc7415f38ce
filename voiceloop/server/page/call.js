// One call: microphone and loudspeaker on one side, Twilio's Media Streams messages on the other.

import { RATE } from "./dsp.js";

// What a telephone does with a voice, too. Without echo cancelling, an agent on a loudspeaker interrupts itself; without
// gain control many computers' microphones are too soft to be understood.
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
const ACCOUNT = "AC" + "0".repeat(32);
const BEGIN_LIMIT = 15000; // milliseconds until the agent must have answered
const LOOK = 25; // frames between two looks at the audio clock: half a second
const SLIP = 8; // milliseconds that it may be off

/** A failure with a name that the page has words for. */
export class CallError extends Error {
  constructor(kind, detail = "") {
    super(detail || kind);
    this.kind = kind;
    this.detail = detail;
  }
}

function sid(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** `tell(kind, detail)` gets: state, event, level, onset, trouble (null: it is gone), over. */
export class Call {
  constructor(tell) {
    this.tell = tell;
    this.sid = sid("CA");
    this.streamSid = sid("MZ");
    this.sequence = 0;
    this.chunk = 0;
    this.muted = false;
    this.over = false;
    this.looked = 0; // frames since the audio clock was looked at
    this.skipped = 0; // milliseconds that it has lost
    this.begun = false;
    this.report = null; // of the agent's side, when it has ended
  }

  /** Ask for the microphone, open the line. Rejects with a CallError; then all is closed again. */
  async dial() {
    try {
      await this.openAudio();
      await this.openEvents();
      await this.openSocket();
    } catch (error) {
      this.close();
      throw error instanceof CallError ? error : new CallError("unknown", String(error));
    }
  }

  // --- sound ---

  async openAudio() {
    if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new CallError("insecure");
    if (!window.AudioWorkletNode) throw new CallError("old");
    // Made before anything is awaited: browsers let a page make sound because of the click.
    this.context = new AudioContext({ latencyHint: "interactive" });
    const resumed = this.context.resume();
    this.tell("state", "asking");
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: MICROPHONE });
    } catch (error) {
      const kinds = { NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", NotReadableError: "busy" };
      throw new CallError(kinds[error.name] ?? "microphone", error.message);
    }
    if (this.over) throw new CallError("cancelled");
    this.tell("state", "calling");
    await Promise.race([resumed, new Promise((done) => setTimeout(done, 2000))]);
    if (this.context.state !== "running") throw new CallError("silent");
    await this.context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
    this.phone = new AudioWorkletNode(this.context, "phone", { outputChannelCount: [1] });
    this.phone.port.onmessage = ({ data }) => this.fromPhone(data);
    this.phone.onprocessorerror = () => this.finish({ kind: "unknown", detail: "the page's audio program has failed" });
    this.context.createMediaStreamSource(this.stream).connect(this.phone).connect(this.context.destination);
    const [track] = this.stream.getAudioTracks();
    track.onended = () => this.tell("trouble", { kind: "lost" });
    track.onmute = () => this.tell("trouble", { kind: "quiet" });
    track.onunmute = () => this.tell("trouble", null);
    this.context.onstatechange = () => {
      this.tell("trouble", this.context.state === "running" ? null : { kind: "resting" });
    };
  }

  /** How far it is from the worklet to the ear. */
  watchLatency() {
    const latency = Math.min(0.5, this.context.outputLatency || this.context.baseLatency || 0);
    if (Math.abs(latency - (this.latency ?? -1)) > 0.002) this.phone.port.postMessage({ latency });
    this.latency = latency;
  }

  // A sound card that stumbles, or is suspended, loses time, and its count of samples with it. Then every later frame
  // would carry a time too early. The least delay of the frames of half a second shows that to a tenth of a millisecond.
  watchClock(timestamp) {
    if (++this.looked <= 0) return;
    this.least = Math.min(this.least ?? Infinity, performance.now() - timestamp);
    if (this.looked < LOOK) return;
    const slip = this.least - (this.usual ??= this.least);
    this.looked = 0;
    this.least = Infinity;
    if (Math.abs(slip) <= SLIP) return;
    if (slip < 0 && this.skipped <= 0) {
      this.usual += slip; // the page itself was slow until now
      return;
    }
    const skip = Math.max(slip, -10); // backwards in small steps: a frame's time is never before that of the last
    this.skipped += skip;
    this.looked = -5; // some frames are under way with the old time
    this.phone.port.postMessage({ skip });
  }

  fromPhone(message) {
    if (message.frame && this.socket?.readyState === WebSocket.OPEN) {
      this.chunk++;
      this.send("media", {
        track: "inbound",
        chunk: String(this.chunk),
        timestamp: String(Math.round(message.timestamp)),
        payload: toBase64(message.frame),
      });
      this.watchClock(message.timestamp);
      if (this.chunk % 50 === 0) this.watchLatency();
    }
    for (const name of message.echo ?? []) this.send("mark", { name });
    if (message.level !== undefined) this.tell("level", message);
    if (message.onset) this.tell("onset", message);
  }

  mute(muted) {
    this.muted = muted;
    this.phone?.port.postMessage({ muted });
  }

  // --- the line ---

  openEvents() {
    return new Promise((opened, failed) => {
      this.events = new EventSource(`events?call=${this.sid}`);
      this.events.onopen = opened;
      this.events.onerror = () => failed(new CallError("gone")); // later it connects again by itself
      this.events.addEventListener("over", () => this.events.close());
      this.events.onmessage = ({ data }) => this.fromEvents(JSON.parse(data));
    });
  }

  fromEvents(event) {
    if (event.kind === "began") {
      this.begun = true;
      clearTimeout(this.patience);
      this.opened();
    } else if (event.kind === "ended") this.report = event;
    else if (event.kind === "fault") this.fault = event.message;
    this.tell("event", event);
  }

  /** Resolves when the agent's side has begun. */
  openSocket() {
    return new Promise((opened, failed) => {
      this.opened = opened;
      this.failed = failed;
      const url = new URL("media", location.href);
      url.protocol = url.protocol.replace("http", "ws");
      this.socket = new WebSocket(url);
      this.socket.onopen = () => this.start();
      this.socket.onmessage = ({ data }) => this.fromAgent(JSON.parse(data));
      this.socket.onclose = (event) => this.closed(event);
      this.patience = setTimeout(() => failed(new CallError("unanswered")), BEGIN_LIMIT);
    });
  }

  start() {
    this.socket.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
    this.send("start", {
      streamSid: this.streamSid,
      accountSid: ACCOUNT,
      callSid: this.sid,
      tracks: ["inbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: RATE, channels: 1 },
      customParameters: { caller: "browser" },
    });
    this.phone.port.postMessage({ start: true, muted: this.muted });
    this.watchLatency();
  }

  send(event, body) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    this.sequence++;
    const message = { event, sequenceNumber: String(this.sequence), streamSid: this.streamSid, [event]: body };
    this.socket.send(JSON.stringify(message));
  }

  fromAgent(message) {
    if (message.streamSid !== this.streamSid) return;
    const port = this.phone.port;
    if (message.event === "media") {
      const media = fromBase64(message.media.payload);
      port.postMessage({ media }, [media.buffer]);
    } else if (message.event === "mark") port.postMessage({ mark: message.mark.name });
    else if (message.event === "clear") port.postMessage({ clear: true });
  }

  press(digit) {
    this.send("dtmf", { track: "inbound_track", digit });
  }

  hangUp() {
    this.hungUp = true;
    this.send("stop", { accountSid: ACCOUNT, callSid: this.sid });
    if (this.socket) this.socket.close(1000);
    else this.close();
  }

  // --- the end ---

  /** The socket has closed; the last events may still be under way. */
  async closed({ code, reason }) {
    this.stopSound();
    for (let waited = 0; !this.report && waited < 1500 && code !== 1006 && code !== 1013; waited += 50)
      await new Promise((done) => setTimeout(done, 50));
    if (this.over) return;
    if (!this.begun) {
      const kind = this.hungUp ? "cancelled" : code === 1013 ? "refused" : this.fault ? "bot" : "gone";
      this.failed(new CallError(kind, this.fault ?? reason));
      return;
    }
    this.finish(this.report || this.hungUp ? null : { kind: "dropped" });
  }

  finish(trouble) {
    if (this.over) return;
    this.close();
    this.tell("over", { report: this.report, trouble });
  }

  close() {
    this.over = true;
    clearTimeout(this.patience);
    this.stopSound();
    if (this.socket && this.socket.readyState < WebSocket.CLOSING) this.socket.close(1000);
    this.events?.close();
  }

  stopSound() {
    for (const track of this.stream?.getTracks() ?? []) {
      track.onended = track.onmute = null;
      track.stop();
    }
    if (this.phone) this.phone.port.onmessage = null;
    if (this.context && this.context.state !== "closed") {
      this.context.onstatechange = null;
      this.context.close();
    }
  }
}
