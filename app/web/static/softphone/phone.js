// The telephone: what its buttons do, what it shows, and what becomes of a call when its line breaks.

import { Line } from "./line.js";
import { Sound, SoundError, whyNot } from "./sound.js";
import { Transcript, clock } from "./transcript.js";

const MEMORY = "patchcord call"; // of the call that is going on, as long as this tab lives
const TRIES = [0.3, 1, 2, 4, 8]; // seconds before each try to go on after the line broke
const UNTOUCHED = 1.5; // seconds in which sound begins, if the browser lets it begin untouched
const FAREWELL = 1; // second in which the server answers a hang-up
const REASONS = {
  "caller hung up": "You hung up.",
  "agent said goodbye": "The agent said goodbye.",
  "caller stayed silent": "The agent hung up, because you said nothing.",
  transferred: "The agent put you through; a browser stays behind.",
};

const element = (id) => document.getElementById(id);
const transcript = new Transcript(element("transcript"));

let state = "idle"; // idle, calling, talking, broken, asking
let call = null; // {sid, number, agent, began}
let sound = null;
let line = null;
let muted = false;
let tries = 0;
let lineBegan = 0; // seconds from the beginning of the call: each line counts from its own

// --- what is shown ---------------------------------------------------------------------------------------------------

function show(next, words) {
  state = next;
  document.body.dataset.state = next;
  element("status").textContent = words;
  for (const field of element("whom").elements) field.disabled = next !== "idle";
}

function complain(words) {
  element("fault").textContent = words;
  element("fault").hidden = !words;
}

function level(who, peak) {
  const decibels = 20 * Math.log10(Math.max(peak, 1e-4)); // -80 to 0; speech is above -50
  element(`level-${who}`).style.setProperty("--level", Math.max(0, 1 + decibels / 50));
}

const seconds = () => (Date.now() - call.began) / 1000;

function tick() {
  if (call?.began) element("clock").textContent = clock(seconds());
}

// --- a call ----------------------------------------------------------------------------------------------------------

async function begin() {
  complain("");
  transcript.clear();
  element("pressed").textContent = element("clock").textContent = "";
  show("calling", "Calling …");
  call = { number: element("number").value };
  if (await openSound()) connect({ is: "call", number: call.number });
}

// False when there is no sound, and when the call was given up meanwhile.
async function openSound() {
  const mine = call;
  try {
    const opened = await Sound.open({
      headset: element("headset").checked,
      onFrame: (frame) => line?.sound(frame, muted),
      onMark: (mark) => line?.markBack(mark),
      onLevel: level,
      onLost: () => complain("The microphone has gone. Hang up, plug it in, and call again."),
    });
    if (call === mine) sound = opened;
    else await opened.close();
    return call === mine;
  } catch (fault) {
    if (!(fault instanceof SoundError)) throw fault;
    complain(fault.message);
    await end("Not called.");
    return false;
  }
}

function connect(wish) {
  line = new Line(wish, {
    onSound: (bytes) => sound?.play(bytes),
    onMark: (mark) => sound?.mark(mark),
    onClear: () => sound?.clear(),
    onTold: told,
    onClosed: lineBroke,
  });
}

function told(what) {
  if (what.is === "ringing") {
    tries = 0;
    call = { ...call, sid: what.sid, agent: what.agent, began: call.began ?? Date.now() };
    lineBegan = seconds();
    show("talking", `Talking with ${what.agent}`);
    remember();
  } else if (what.is === "refused") {
    complain(what.words);
    end("Not connected.");
  } else if (what.is === "ended") {
    end(REASONS[what.reason] ?? `The call ended: ${what.reason}.`);
  } else {
    transcript.tell(what.at === undefined ? what : { ...what, at: what.at + lineBegan });
  }
}

async function lineBroke() {
  if (state === "idle") return;
  sound?.clear();
  transcript.lineBroke();
  if (!call?.sid || tries >= TRIES.length) {
    complain("The line broke and could not be mended.");
    return end("The call ended: the line broke.");
  }
  show("broken", "The line broke; mending it …");
  await new Promise((resolve) => setTimeout(resolve, 1000 * TRIES[tries++]));
  if (state === "broken") connect({ is: "resume", sid: call.sid });
}

// The server tells what was heard of the last words before it lets go.
function hangUp() {
  if (state !== "talking") return end(REASONS["caller hung up"]);
  const mine = call;
  line.hangUp();
  sound.clear();
  setTimeout(() => call === mine && end(REASONS["caller hung up"]), 1000 * FAREWELL);
}

async function end(words) {
  const was = { line, sound };
  if (call?.began) transcript.tell({ is: "note", text: `${words} ${clock(seconds())}` });
  line = sound = call = null;
  tries = 0;
  sessionStorage.removeItem(MEMORY);
  setMuted(false);
  show("idle", words);
  level("caller", 0);
  level("agent", 0);
  was.line?.close();
  await was.sound?.close();
}

// --- a page that is loaded anew --------------------------------------------------------------------------------------

function remember() {
  if (call?.sid) sessionStorage.setItem(MEMORY, JSON.stringify({ call, history: transcript.history }));
}

async function recall() {
  const memory = JSON.parse(sessionStorage.getItem(MEMORY) ?? "null");
  if (!memory) return;
  call = memory.call;
  transcript.recall(memory.history);
  show("broken", `Going on with ${call.agent} …`);
  if (!(await openSound())) return;
  if (await sound.running(UNTOUCHED)) connect({ is: "resume", sid: call.sid });
  else show("asking", "You are in the middle of a call.");
}

async function goOn() {
  await sound.running(UNTOUCHED);
  show("broken", `Going on with ${call.agent} …`);
  connect({ is: "resume", sid: call.sid });
}

// --- buttons and keys ------------------------------------------------------------------------------------------------

function setMuted(wanted) {
  muted = wanted;
  element("mute").setAttribute("aria-pressed", String(wanted));
}

function press(key) {
  if (state !== "talking") return;
  line.key(key);
  const pressed = element("pressed");
  pressed.textContent = (pressed.textContent + key).slice(-16);
  const button = document.querySelector(`[data-key="${key}"]`);
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 150);
}

function toggleKeypad(wanted) {
  element("keypad").hidden = !wanted;
  element("keys").setAttribute("aria-expanded", String(wanted));
}

element("call").onclick = begin;
element("go-on").onclick = goOn;
element("hang-up").onclick = hangUp;
element("mute").onclick = () => setMuted(!muted);
element("keys").onclick = () => toggleKeypad(element("keypad").hidden);
element("keypad").onclick = ({ target }) => target.closest("[data-key]") && press(target.closest("[data-key]").dataset.key);

addEventListener("keydown", (event) => {
  if (state !== "talking" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (/^[0-9*#]$/.test(event.key)) press(event.key);
  if (event.key.toLowerCase() === "m") setMuted(!muted);
});
addEventListener("pagehide", remember);

setInterval(tick, 500);
toggleKeypad(matchMedia("(min-width: 48rem) and (min-height: 36rem)").matches);
complain(whyNot());
element("call").disabled ||= Boolean(whyNot());
recall();
