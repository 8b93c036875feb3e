// What the labelling page asks, and tells, in a window of its own.

import { field, h } from "../lib/dom.js";
import { KEYS } from "./answer.js";

/** The list of keys; open(input): shown until Esc, Enter or a second ?, which types a ?. */
export function keysDialog() {
  let input = null;
  const keys = KEYS.map(([names, does]) => [h("dt", {}, names.map((name) => h("kbd", {}, name))), h("dd", {}, does)]);
  const dialog = h(
    "dialog",
    { "aria-labelledby": "keys-title", onclose: () => input?.focus(), onkeydown: typeMark },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "keys-title" }, "Keys"),
      h("dl", { class: "facts keys" }, keys),
      h("div", { class: "actions" }, h("button", { class: "primary" }, "Close")),
    ),
  );
  function typeMark(event) {
    if (event.key !== "?") return;
    event.preventDefault();
    dialog.close();
    input?.setRangeText("?", input.selectionStart, input.selectionEnd, "end");
    input?.dispatchEvent(new Event("input"));
  }
  return {
    dialog,
    open(of) {
      input = of;
      dialog.showModal();
    },
  };
}

const NAME = "readsmith-name";

/** The name of who labels, null if they said none. */
export const labellerName = () => localStorage.getItem(NAME) || null;

/** Ask once who labels; resolves when that is answered. */
export function askName(main) {
  if (localStorage.getItem(NAME) !== null) return null;
  const name = h("input", { maxlength: 64, autocomplete: "name", spellcheck: "false" });
  const dialog = h(
    "dialog",
    { "aria-labelledby": "name-title" },
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "name-title" }, "Who is labelling?"),
      field("Your name", name, "Stands beside the labels that you give, for the others. This browser remembers it."),
      h("div", { class: "actions" }, h("button", { class: "primary" }, "Begin")),
    ),
  );
  main.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      localStorage.setItem(NAME, name.value.trim());
      dialog.remove();
      resolve();
    });
  });
}
