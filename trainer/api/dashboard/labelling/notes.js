// Labels that were not saved: somebody else changed them first, or the service refused them.

import { h, replace } from "../lib/dom.js";
import { ago } from "../lib/format.js";

const said = ({ state, text }) => (state === "confirmed" || state === "suspected" ? ["“", h("bdi", {}, text), "”"] : state);

/** The list of them; each goes once it is answered. */
export function notesView(desk) {
  const list = h("div", { class: "slot" });
  const drop = (note) => {
    desk.notes.splice(desk.notes.indexOf(note), 1);
    draw();
    desk.focus();
  };
  const draw = () => replace(list, desk.notes.map((note) => (note.error ? refused(note) : changed(note))));
  const close = (note, text) => h("button", { type: "button", onclick: () => drop(note) }, text);

  function changed(note) {
    const { image, mine } = note;
    const insist = () => (desk.insist(image, mine), drop(note));
    return h(
      "div",
      { class: "notice warning", role: "alert" },
      h("p", {}, h("strong", {}, `${image.by ?? "Somebody else"} changed ${image.name}`), ` ${ago(image.at)}: `, said(image), ". You said ", said(mine), "."),
      h("div", { class: "actions" }, close(note, h("span", {}, "Leave ", said(image))), h("button", { type: "button", onclick: insist }, h("span", {}, "Make it ", said(mine)))),
    );
  }

  function refused(note) {
    const { mine, error } = note;
    return h(
      "div",
      { class: "notice error", role: "alert" },
      h("p", {}, h("strong", {}, "Not saved: "), said(mine), `. ${error.message}`),
      error.hint && h("p", {}, error.hint),
      h("div", { class: "actions" }, close(note, "Close")),
    );
  }

  return { element: list, draw };
}
