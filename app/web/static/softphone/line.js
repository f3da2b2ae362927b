// The line to the server: binary frames for the call, JSON for the eye. The frames are described in softphone_wire.py.

const SOUND = 1;
const MARK = 2;
const CLEAR = 3;
const KEY = 4;
const HANG_UP = 5;
const MUTED = 1;

const LATE = 16384; // bytes that wait to be sent, two seconds of sound: sound that is older is of no use to anybody

export class Line {
  // `wish` is {is: "call", number} or {is: "resume", sid}. `onTold` gets what the server tells, `onClosed` the end.
  constructor(wish, { onSound, onMark, onClear, onTold, onClosed }) {
    const address = new URL("/phone/socket", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.socket.send(JSON.stringify(wish));
    this.socket.onclose = () => onClosed();
    this.socket.onmessage = ({ data }) => {
      if (typeof data === "string") return onTold(JSON.parse(data));
      const payload = new Uint8Array(data, 2);
      const kind = new Uint8Array(data)[0];
      if (kind === SOUND) onSound(payload);
      if (kind === MARK) onMark(new DataView(data, 2).getUint32(0));
      if (kind === CLEAR) onClear();
    };
  }

  send(kind, flags, payload = []) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    const frame = new Uint8Array(2 + payload.length);
    frame.set([kind, flags]);
    frame.set(payload, 2);
    this.socket.send(frame);
  }

  sound(frame, muted) {
    if (this.socket.bufferedAmount > LATE) return;
    if (muted) this.send(SOUND, MUTED);
    else this.send(SOUND, 0, frame);
  }

  markBack(mark) {
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, mark);
    this.send(MARK, 0, payload);
  }

  key(key) {
    this.send(KEY, 0, [key.charCodeAt(0)]);
  }

  hangUp() {
    this.send(HANG_UP, 0);
  }

  close() {
    this.socket.onclose = null;
    this.socket.close();
  }
}
