// One image, large, with its neighbours small.

import { emptyState, h, quoted, replace } from "../lib/dom.js";
import { count, percent } from "../lib/format.js";
import { answerForm, confirm, originOf, undo } from "./answer.js";
import { isTodo, labelOf } from "./desk/desk.js";

const [BEFORE, AFTER] = [2, 5]; // neighbours
const OFFERED = 48; // characters

/** The view; parts: {cache, help, characters: those that occur}. */
export function oneView(desk, { cache, help, characters }) {
  const image = h("img", { class: "image", alt: "" });
  const origin = h("p", { class: "help", id: "origin" });
  const contradiction = h("p", { class: "slot" });
  const offers = h("div", { class: "characters-offered", role: "group", "aria-label": "Characters that occur" });
  const answer = answerForm(
    desk,
    () => desk.item,
    help,
    origin,
    contradiction,
    h("div", { class: "actions" }, buttons()),
  );
  answer.input.setAttribute("aria-describedby", "origin");
  // A touch keyboard leaves half of the screen: the image goes there with its field.
  answer.input.addEventListener("focus", () => matchMedia("(pointer: coarse)").matches && stage.scrollIntoView());
  const stage = h("div", { class: "stage" }, h("div", { class: "shown" }, image), answer.form, offers);
  const over = h("div", { class: "slot" });
  const strip = neighbourStrip(desk, cache);

  function buttons() {
    const button = (text, key, action) =>
      h("button", { type: "button", onclick: action, onmousedown: keepFocus }, text, h("kbd", {}, key));
    return [
      h("button", { class: "primary", onmousedown: keepFocus }, "Confirm", h("kbd", {}, "Enter")),
      button("Skip", "↓", () => desk.go(desk.at + 1)),
      button("Unreadable", "Shift Enter", () => desk.decide(desk.item, "unreadable")),
      button("Undo", "Esc", () => undo(desk)),
    ];
  }

  const insert = (character) => {
    const { input } = answer;
    input.setRangeText(character, input.selectionStart, input.selectionEnd, "end");
    input.dispatchEvent(new Event("input"));
  };

  function drawItem(item) {
    answer.input.setAttribute("aria-label", `What ${item.image.name} says`);
    image.alt = `The image ${item.image.name}`;
    if (image.dataset.image !== item.image.id) cache.show(image, item.image);
    answer.draw();
    stage.dataset.state = labelOf(item).state;
    origin.textContent = originOf(item);
    replace(contradiction, item.image.state === "suspected" && !item.change && suspicion(item));
    const known = [...characters].sort();
    if (offers.childElementCount !== Math.min(known.length, OFFERED)) {
      replace(offers, known.slice(0, OFFERED).map((one) => characterButton(one, insert)));
    }
  }

  function suspicion({ image: { proposal, confidence } }) {
    const take = () => {
      answer.input.value = proposal;
      confirm(desk, desk.item, answer.input);
    };
    const button = h("button", { type: "button", onclick: take, onmousedown: keepFocus }, "Take ", h("bdi", {}, proposal));
    return ["It was read as ", quoted(proposal), `, ${percent(confidence)} sure. `, button];
  }

  let seen = null; // what the end says, which is drawn anew only then: its button may have the focus
  function drawEnd(isOver) {
    const skipped = isOver ? desk.items.filter((item) => isTodo(labelOf(item).state)) : [];
    if (seen === (isOver && skipped.length)) return;
    seen = isOver && skipped.length;
    replace(over, isOver && allSeen(desk, skipped));
  }

  return {
    element: h("div", { class: "one" }, stage, over, strip.list),
    draw() {
      const { item } = desk;
      stage.hidden = !item;
      strip.list.hidden = !desk.items.length;
      if (item) drawItem(item);
      drawEnd(!item && desk.ended);
      strip.draw();
    },
    focus: () => (desk.item ? answer.input : over.querySelector("button"))?.focus(),
    input: () => answer.input,
  };
}

/** A button that leaves the focus, and so the touch keyboard, where it is. */
const keepFocus = (event) => event.preventDefault();

function characterButton(character, insert) {
  const shown = character === " " ? "space" : character;
  return h("button", { type: "button", tabindex: -1, onclick: () => insert(character), onmousedown: keepFocus }, h("bdi", {}, shown));
}

/** The images around the one in hand; those that stay in sight keep their elements. */
function neighbourStrip(desk, cache) {
  const list = h("ol", { class: "strip", "aria-label": "Images before and after" });
  let drawn = new Map();
  const draw = () => {
    const now = new Map();
    const shown = [];
    for (let at = desk.at - BEFORE; at <= desk.at + AFTER; at++) {
      const item = desk.items[at];
      const one = item && (drawn.get(item) ?? neighbour(desk, item, cache));
      one?.draw(at === desk.at);
      if (one) now.set(item, one);
      shown.push(one?.element ?? h("li", {}));
    }
    drawn = now;
    replace(list, shown);
  };
  return { list, draw };
}

function neighbour(desk, item, cache) {
  const image = h("img", { class: "image", alt: "" });
  const text = h("bdi", {});
  const go = () => desk.go(desk.items.indexOf(item));
  // The arrows lead there: it takes no Tab.
  const button = h("button", { type: "button", class: "neighbour", tabindex: -1, onclick: go }, image, text);
  cache.show(image, item.image);
  return {
    element: h("li", {}, button),
    draw(isCurrent) {
      const { state, text: label } = labelOf(item);
      const says = state === "unreadable" ? "unreadable" : ((isTodo(state) ? item.image.proposal : label) ?? "");
      text.textContent = says || "\u00a0";
      button.dataset.state = state;
      button.setAttribute("aria-label", `${item.image.name}: ${isTodo(state) ? "not confirmed" : state} ${says}`);
      if (isCurrent) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    },
  };
}

function allSeen(desk, skipped) {
  const title = "That was the last one.";
  if (!skipped.length) return emptyState(title, h("p", {}, "Nothing is left here to be looked at."));
  const again = () => desk.go(desk.items.indexOf(skipped[0]));
  const button = h("button", { type: "button", class: "primary", onclick: again }, "Go through them");
  return emptyState(title, h("p", {}, `${count(skipped.length, "image")} skipped.`), button);
}
