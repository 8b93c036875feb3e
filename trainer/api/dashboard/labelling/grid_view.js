// Many images at once, where most proposals are right; the keys are those of one image.

import { h, replace } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { answerForm, originOf } from "./answer.js";
import { GRID, isTodo, labelOf } from "./desk/desk.js";

/** The view; parts: {cache, help}. */
export function gridView(desk, { cache, help }) {
  const grid = h("ol", { class: "cells", "aria-label": "Images" });
  const pager = h("div", { class: "row" });
  let cells = [];

  const draw = () => {
    const first = Math.floor(Math.min(desk.at, Math.max(0, desk.items.length - 1)) / GRID) * GRID;
    const items = desk.items.slice(first, first + GRID);
    if (items.length !== cells.length || items.some((item, i) => item !== cells[i].item)) {
      cells = items.map((item) => cell(desk, item, { cache, help }));
      replace(grid, cells.map(({ element }) => element));
    }
    cells.forEach((one) => one.draw());
    replace(pager, turning(desk, first, items.length));
  };
  const current = () => cells.find(({ item }) => item === desk.item);
  return {
    element: h("div", { class: "stack" }, grid, pager),
    draw,
    focus: () => (current()?.input ?? pager.querySelector("button:not(:disabled)"))?.focus(),
    input: () => current()?.input,
  };
}

function cell(desk, item, { cache, help }) {
  const image = h("img", { class: "image", alt: `The image ${item.image.name}` });
  const note = h("small", {});
  const answer = answerForm(desk, () => item, help, note);
  answer.input.setAttribute("aria-label", `What ${item.image.name} says`);
  answer.input.addEventListener("focus", () => (desk.at = desk.items.indexOf(item)));
  cache.show(image, item.image);
  const element = h("li", {}, image, answer.form);
  return {
    item,
    element,
    input: answer.input,
    draw() {
      answer.draw();
      element.dataset.state = labelOf(item).state;
      note.textContent = originOf(item);
    },
  };
}

function turning(desk, first, shown) {
  const turn = (text, at, possible) =>
    h("button", { type: "button", disabled: !possible, onclick: () => desk.go(at) }, text);
  if (!shown) return h("p", { class: "faint" }, "There are none.");
  const open = desk.items.slice(first, first + shown).filter((item) => isTodo(labelOf(item).state)).length;
  return [
    turn(`Previous ${GRID}`, first - GRID, first > 0),
    turn(`Next ${GRID}`, first + GRID, desk.items.length > first + GRID || !desk.ended),
    h("p", { class: "faint" }, `Images ${first + 1} to ${first + shown}, ${count(open, "image")} of them not confirmed.`),
  ];
}
