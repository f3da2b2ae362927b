// The two ends of a telephone, on the audio thread: a microphone that gives mu-law frames of 20 ms, and a loudspeaker
// that plays mu-law and sends marks back. The line is 8000 samples a second; whatever the browser runs at is converted.

const LINE_RATE = 8000;
const FRAME = 160;

// --- mu-law (ITU-T G.711) --------------------------------------------------------------------------------------------

const BIAS = 132;
const LOUDEST = 32635;

function encode(sample) {
  let level = Math.min(LOUDEST, Math.abs(Math.round(sample * 32768))) + BIAS;
  const exponent = 24 - Math.clz32(level); // of the highest bit, counted from the eighth
  return ~((sample < 0 ? 0x80 : 0) | (exponent << 4) | ((level >> (exponent + 3)) & 0x0f)) & 0xff;
}

const DECODED = Float32Array.from({ length: 256 }, (_, byte) => {
  const bits = ~byte & 0xff;
  const level = ((((bits & 0x0f) << 3) + BIAS) << ((bits & 0x70) >> 4)) - BIAS;
  return (bits & 0x80 ? -level : level) / 32768;
});

// --- rates -----------------------------------------------------------------------------------------------------------

const LOBES = 12; // of the sinc on either side: 60 dB against what would fold back into speech
const PHASES = 256; // of the kernel between two samples

// Converts a stream from one rate to another: a windowed sinc, cut off just below half of the lower rate.
class Converter {
  constructor(from, to) {
    this.same = from === to;
    this.step = from / to;
    const cutoff = 0.94 * Math.min(1, to / from);
    this.reach = Math.ceil(LOBES / cutoff);
    this.kernel = Float32Array.from({ length: this.reach * PHASES + 1 }, (_, n) => {
      const x = n / PHASES;
      const hann = 0.5 + 0.5 * Math.cos((Math.PI * x) / this.reach);
      return n === 0 ? cutoff : (hann * Math.sin(Math.PI * cutoff * x)) / (Math.PI * x);
    });
    this.past = new Float32Array(2 * this.reach); // samples that later ones still need
    this.next = this.reach; // where the next new sample lies, counted from the first of the past
  }

  convert(samples) {
    if (this.same) return samples;
    const all = new Float32Array(this.past.length + samples.length);
    all.set(this.past);
    all.set(samples, this.past.length);
    const made = [];
    for (; this.next + this.reach < all.length; this.next += this.step) made.push(this.sample(all));
    const done = Math.min(all.length, Math.max(0, Math.floor(this.next) - this.reach));
    this.past = all.slice(done);
    this.next -= done;
    return Float32Array.from(made);
  }

  sample(all) {
    let sum = 0;
    const last = Math.floor(this.next + this.reach);
    for (let n = Math.ceil(this.next - this.reach); n <= last; n += 1) {
      sum += all[n] * this.kernel[Math.round(Math.abs(n - this.next) * PHASES)];
    }
    return sum;
  }
}

function loudest(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
}

// --- the two ends ----------------------------------------------------------------------------------------------------

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.converter = new Converter(sampleRate, LINE_RATE);
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
    this.peak = 0;
    this.silence = new Float32Array(128);
  }

  // The line never stops: a microphone that was pulled out is silent.
  process([input]) {
    for (const sample of this.converter.convert(input[0] ?? this.silence)) {
      this.peak = Math.max(this.peak, Math.abs(sample));
      this.frame[this.filled] = encode(sample);
      this.filled += 1;
      if (this.filled === FRAME) {
        this.port.postMessage({ frame: this.frame.slice(), peak: this.peak });
        this.filled = this.peak = 0;
      }
    }
    return true;
  }
}

// Plays what it is sent in order, without end. A mark comes back when all before it has been played; a clear throws
// everything away, and all marks come back at once.
class Loudspeaker extends AudioWorkletProcessor {
  constructor() {
    super();
    this.converter = new Converter(LINE_RATE, sampleRate);
    this.waiting = []; // samples, or the number of a mark
    this.played = 0; // of the first samples that wait
    this.sinceLevel = 0;
    this.peak = 0;
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told({ sound, mark, clear }) {
    if (sound) this.waiting.push(this.converter.convert(Float32Array.from(sound, (byte) => DECODED[byte])));
    if (mark !== undefined) this.waiting.push(mark);
    if (clear) this.throwAway();
    this.giveBackMarks();
  }

  throwAway() {
    for (const item of this.waiting) if (typeof item === "number") this.port.postMessage({ mark: item });
    this.waiting = [];
    this.played = 0;
  }

  giveBackMarks() {
    while (typeof this.waiting[0] === "number") this.port.postMessage({ mark: this.waiting.shift() });
  }

  process(_, [output]) {
    const channel = output[0];
    let filled = 0;
    while (filled < channel.length && this.waiting.length > 0) {
      const piece = this.waiting[0].subarray(this.played, this.played + channel.length - filled);
      channel.set(piece, filled);
      filled += piece.length;
      this.played += piece.length;
      if (this.played === this.waiting[0].length) {
        this.waiting.shift();
        this.played = 0;
        this.giveBackMarks();
      }
    }
    this.measure(channel);
    return true;
  }

  measure(samples) {
    this.peak = Math.max(this.peak, loudest(samples));
    this.sinceLevel += samples.length;
    if (this.sinceLevel >= sampleRate / 50) {
      this.port.postMessage({ peak: this.peak });
      this.sinceLevel = this.peak = 0;
    }
  }
}

registerProcessor("microphone", Microphone);
registerProcessor("loudspeaker", Loudspeaker);
