// The sound of a telephone in this browser: a microphone that gives frames and a loudspeaker that takes them.

const LINE_RATE = 8000;
const LAST_SYLLABLE = 0.6; // seconds; wireless loudspeakers are up to half a second behind

const CAPTURE_FAULTS = {
  NotAllowedError:
    "The browser keeps the microphone from this page. Allow it beside the address, then call again.",
  NotFoundError: "This device has no microphone. Plug one in, then call again.",
  NotReadableError: "Another program holds the microphone. Close it there, then call again.",
};

export class SoundError extends Error {}

// Why this browser cannot be a telephone at all; nothing if it can.
export function whyNot() {
  if (!window.isSecureContext) {
    return "Browsers give a microphone only to pages that came by https or from this machine. Open this page at localhost.";
  }
  if (!navigator.mediaDevices?.getUserMedia) {
    return "This browser gives pages no microphone. Take a current Chromium, Firefox or Safari.";
  }
  if (!window.AudioContext || !window.AudioWorkletNode) {
    return "This browser cannot work on sound (it has no AudioWorklet). Take a current Chromium, Firefox or Safari.";
  }
  return "";
}

// Without a headset the browser must keep the agent's voice out of the microphone, at some cost in quality.
async function capture(headset) {
  const clean = !headset;
  const wanted = { channelCount: 1, echoCancellation: clean, noiseSuppression: clean, autoGainControl: clean };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: wanted });
  } catch (fault) {
    throw new SoundError(CAPTURE_FAULTS[fault.name] ?? `The microphone cannot be used: ${fault.message || fault.name}.`);
  }
}

// A context at the line's own rate needs no conversion. Firefox cannot lead a microphone into one, and some devices
// refuse the rate: then the browser's own rate is taken, and the worklet converts.
async function wire(stream) {
  try {
    return await wireAt({ sampleRate: LINE_RATE }, stream);
  } catch {
    return await wireAt({}, stream);
  }
}

async function wireAt(options, stream) {
  const context = new AudioContext({ latencyHint: "interactive", ...options });
  try {
    const source = context.createMediaStreamSource(stream);
    await context.audioWorklet.addModule(new URL("worklet.js", import.meta.url));
    const end = { numberOfOutputs: 1, outputChannelCount: [1] };
    const microphone = new AudioWorkletNode(context, "microphone", { ...end, numberOfInputs: 1, channelCount: 1, channelCountMode: "explicit" });
    const loudspeaker = new AudioWorkletNode(context, "loudspeaker", { ...end, numberOfInputs: 0 });
    source.connect(microphone).connect(context.destination); // it puts out silence; unconnected it would not run
    loudspeaker.connect(context.destination);
    return { context, microphone: microphone.port, loudspeaker: loudspeaker.port };
  } catch (fault) {
    await context.close();
    throw fault;
  }
}

export class Sound {
  // Asks for the microphone. Throws a SoundError whose message is a sentence for the person.
  static async open({ headset, onFrame, onMark, onLevel, onLost }) {
    const fault = whyNot();
    if (fault) throw new SoundError(fault);
    const stream = await capture(headset);
    try {
      const { context, microphone, loudspeaker } = await wire(stream);
      stream.getTracks().forEach((track) => (track.onended = onLost));
      microphone.onmessage = ({ data }) => {
        onFrame(data.frame);
        onLevel("caller", data.peak);
      };
      loudspeaker.onmessage = ({ data }) => (data.mark === undefined ? onLevel("agent", data.peak) : onMark(data.mark));
      return new Sound(stream, context, loudspeaker);
    } catch (fault) {
      stream.getTracks().forEach((track) => track.stop());
      throw new SoundError(`This browser's sound cannot be used: ${fault.message || fault.name}.`);
    }
  }

  constructor(stream, context, loudspeaker) {
    this.stream = stream;
    this.context = context;
    this.loudspeaker = loudspeaker;
  }

  // A page that was loaded anew may have to be touched before it may sound.
  async running(seconds) {
    const late = new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
    await Promise.race([this.context.resume(), late]);
    return this.context.state === "running";
  }

  play(sound) {
    this.loudspeaker.postMessage({ sound });
  }

  mark(mark) {
    this.loudspeaker.postMessage({ mark });
  }

  clear() {
    this.loudspeaker.postMessage({ clear: true });
  }

  // The microphone is let go at once; the last syllable may still be on its way through the device.
  async close() {
    this.stream.getTracks().forEach((track) => track.stop());
    await new Promise((resolve) => setTimeout(resolve, 1000 * LAST_SYLLABLE));
    await this.context.close();
  }
}
