// What both sides say, as it happens: words heard, words cut, and how long each answer took, stage by stage.
// What is told, and when: softphone_telling.py.

const FULL_WIDTH = 1.2; // seconds across a waterfall, unless an answer took longer
const PASSING = new Set(["hearing", "saying", "unsaid"]); // of no interest once the line is over

function made(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function milliseconds(seconds) {
  return `${Math.round(1000 * seconds)} ms`;
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export class Transcript {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.history = []; // what a page that is loaded anew shows again
    this.lineBroke();
  }

  // Turns and utterances are numbered from one again when a call goes on over another line.
  lineBroke() {
    this.caller = null; // the line that the caller is speaking
    this.agent = new Map(); // the lines that the agent is speaking, by utterance
    this.turns = new Map(); // waterfalls, by the number of the turn
  }

  recall(history) {
    history.forEach((told) => this.tell(told));
    this.lineBroke();
  }

  tell(told) {
    const below = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight;
    if (!PASSING.has(told.is)) this.history.push(told);
    switch (told.is) {
      case "hearing": this.hear(told.text); break;
      case "saying": this.say(told.utterance, told.text); break;
      case "unsaid": this.unsay(told.utterance); break;
      case "line": told.who === "caller" ? this.heard(told) : this.said(told); break;
      case "turn": this.turn(told); break;
      case "greeting": this.greeted(told.after); break;
      case "stopped": this.note(`you spoke, the agent was silent after ${milliseconds(told.after)}`); break;
      case "tool": this.note(`${told.name} ${JSON.stringify(told.arguments)}`, "tool"); break;
      case "trouble": this.note(`${told.who}: ${told.what}`, "trouble"); break;
      case "note": this.note(told.text); break;
    }
    if (below < 60) this.list.scrollTop = this.list.scrollHeight; // who has scrolled up is reading
  }

  // --- the caller ----------------------------------------------------------------------------------------------------

  hear(text) {
    this.caller ??= this.add("line caller open", "You");
    this.caller.querySelector(".words").textContent = text;
  }

  heard({ heard, at }) {
    this.hear(heard);
    this.finish(this.caller, at);
    this.caller = null;
  }

  turn(told) {
    if (!this.turns.has(told.number)) {
      this.hear(told.asked);
      this.list.querySelectorAll("details[open]").forEach((older) => (older.open = false));
      this.turns.set(told.number, this.caller.appendChild(made("details", "turn")));
      this.turns.get(told.number).open = true;
    }
    drawTurn(this.turns.get(told.number), told);
  }

  // --- the agent -----------------------------------------------------------------------------------------------------

  say(utterance, text) {
    if (!this.agent.has(utterance)) this.agent.set(utterance, this.add("line agent open", "Agent"));
    this.agent.get(utterance).querySelector(".words").textContent = text;
  }

  unsay(utterance) {
    this.agent.get(utterance)?.remove();
    this.agent.delete(utterance);
  }

  said({ utterance, heard, cut, at }) {
    this.say(utterance, heard);
    const item = this.agent.get(utterance);
    if (cut) item.querySelector(".words").append(heard ? " " : "", made("s", "", cut));
    this.finish(item, at);
    this.agent.delete(utterance);
  }

  // Stands before the line whose sound it was.
  greeted(after) {
    this.note(`first sound after ${milliseconds(after)}`);
    const [line] = this.agent.values();
    line?.before(this.list.lastElementChild);
  }

  // --- within --------------------------------------------------------------------------------------------------------

  note(text, kind = "") {
    this.list.append(made("li", `note ${kind}`, text));
  }

  add(className, who) {
    const item = made("li", className);
    item.append(made("span", "who", who), made("span", "at"), made("p", "words"));
    this.list.append(item);
    return item;
  }

  finish(item, at) {
    item.classList.remove("open");
    item.querySelector(".at").textContent = clock(at);
  }
}

// --- the waterfall of one turn ---------------------------------------------------------------------------------------

function drawTurn(details, { gap, ahead, stages }) {
  const steps = Object.entries(stages);
  const reached = steps.reduce((sum, [, seconds]) => sum + seconds, 0);
  const width = Math.max(FULL_WIDTH, reached);
  const headline = gap === null ? "answering …" : `answered after ${milliseconds(gap)}`;
  const summary = made("summary", "", ahead ? `${headline}, begun ahead` : headline);
  const rows = made("dl");
  let start = 0;
  for (const [name, seconds] of steps) {
    const bar = made("i");
    bar.style.setProperty("--start", start / width);
    bar.style.setProperty("--length", seconds / width);
    const row = made("div", name.replace(" ", "-"));
    const figure = made("dd");
    figure.append(bar, made("b", "", milliseconds(seconds)));
    row.append(made("dt", "", name), figure);
    rows.append(row);
    start += seconds;
  }
  details.replaceChildren(summary, rows);
}
