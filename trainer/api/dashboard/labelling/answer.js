// The field in which an image is answered, and its keys.

import { announce, h } from "../lib/dom.js";
import { ago, percent } from "../lib/format.js";
import { textInput } from "../views/prediction_view.js";
import { isTodo, labelOf, offered } from "./desk/desk.js";

export const KEYS = [
  [["Enter"], "confirm the text as it stands"],
  [["letters"], "replace the proposal, which is selected"],
  [["Shift", "Enter"], "unreadable: nobody can tell"],
  [["↓"], "skip to the next image"],
  [["↑"], "back to the one before"],
  [["Esc"], "take back what was typed, then the last answer"],
  [["?"], "this list; once more begins a text with ?"],
];

/** A form for what desk.item says, or another item that `itemOf` returns.
 *
 * help(input): show the keys. draw() brings it up to date, leaving alone what is being typed.
 */
export function answerForm(desk, itemOf, help, ...more) {
  let shown = null;
  const input = textInput({
    required: false,
    autocomplete: "off",
    autocorrect: "off",
    enterkeyhint: "next",
    class: "answer",
    oninput: () => desk.type(itemOf(), input.value === offered(itemOf()) ? null : input.value),
    onfocus: () => itemOf().typed === null && input.select(),
    onkeydown: (event) => onKey(event, { desk, item: itemOf(), input, help }),
  });
  const submit = (event) => (event.preventDefault(), confirm(desk, itemOf(), input));
  return {
    input,
    form: h("form", { class: "stack", onsubmit: submit }, input, more),
    draw() {
      const item = itemOf();
      const wanted = item.typed ?? offered(item);
      if (item === shown && input.value === wanted) return;
      shown = item;
      input.value = wanted;
      if (document.activeElement === input && item.typed === null) input.select();
    },
  };
}

/** Confirm the text as it stands. */
export function confirm(desk, item, input) {
  const text = input.value.trim();
  if (!text) return announce("Type what it says. Shift and Enter: nobody can tell.");
  const { state, text: before } = labelOf(item);
  if (state === "confirmed" && text === before) return desk.go(desk.items.indexOf(item) + 1);
  return desk.decide(item, "confirmed", text);
}

function onKey(event, { desk, item, input, help }) {
  if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
  const does = {
    Enter: event.shiftKey && (() => desk.decide(item, "unreadable")),
    ArrowDown: () => desk.go(desk.items.indexOf(item) + 1),
    ArrowUp: () => desk.go(desk.items.indexOf(item) - 1),
    Escape: () => (item.typed === null ? undo(desk) : restore(desk, item, input)),
    "?": item.typed === null && (() => help(input)),
  }[event.key];
  if (!does) return;
  event.preventDefault();
  does();
}

/** Take back the last answer, and say so. */
export function undo(desk) {
  announce(desk.undo() ? "Taken back." : "There is nothing to take back.");
}

function restore(desk, item, input) {
  desk.type(item, null);
  input.value = offered(item);
  input.select();
}

/** Where a text comes from: [a line of words, whether it is doubtful]. */
export function originOf(item) {
  const { state, by } = labelOf(item);
  const { proposal, confidence, proposed_by: source, at } = item.image;
  if (state === "unreadable") return `Unreadable${said(by, item.change ? null : at)}`;
  if (!isTodo(state)) return `Confirmed${said(by, item.change ? null : at)}`;
  if (proposal === null) return "No proposal yet: type what it says.";
  const sure = confidence === null ? "" : `, ${percent(confidence)} sure`;
  return `Proposed ${SOURCES[source] ?? `by ${source}`}${sure}`;
}

const SOURCES = { starter: "by the starter", learning: "from what was learned here" };

const said = (by, at) => `${by ? ` by ${by}` : ""}${at ? `, ${ago(at)}` : ""}`;
