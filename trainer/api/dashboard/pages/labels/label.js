// One dataset, image by image: what is proposed is confirmed or corrected.

import { api, apiKey } from "../../lib/api.js";
import { h, replace } from "../../lib/dom.js";
import { count } from "../../lib/format.js";
import { originOf, undo } from "../../labelling/answer.js";
import { addImages, exportMenu, trainButton } from "../../labelling/images/dataset_actions.js";
import { labelOf, offered, openDesk } from "../../labelling/desk/desk.js";
import { askName, keysDialog, labellerName } from "../../labelling/dialogs.js";
import { gridView } from "../../labelling/grid_view.js";
import { imageCache } from "../../labelling/image_cache.js";
import { notesView } from "../../labelling/notes.js";
import { oneView } from "../../labelling/one_view.js";
import { ORDERS } from "../../labelling/desk/queue.js";
import { standingView } from "../../labelling/standing.js";

const VIEW = "readsmith-label-view";
const CHARACTERS_FROM = 200; // confirmed images whose characters are offered from the start

export async function show(main, { id }, signal) {
  const title = h("h1", {}, "Labels");
  const tools = h("div", { class: "actions" });
  const trouble = h("div", { class: "slot" });
  main.append(
    h("p", { class: "crumbs" }, h("a", { href: "#/label" }, "Labels")),
    h("div", { class: "page-head" }, title, tools),
    trouble,
  );
  const path = `/datasets/${id}`;
  const [dataset, confirmed] = await Promise.all([
    api(path, { signal }),
    api(`${path}/images?order=name&state=confirmed&limit=${CHARACTERS_FROM}`, { signal }),
  ]);
  title.textContent = dataset.name;
  let view = null;
  const told = (what) => view?.told(what);
  const desk = openDesk(dataset, { by: () => (apiKey() ? null : labellerName()), told, signal });
  replace(
    tools,
    addImages(desk, { main, trouble, signal }),
    exportMenu(dataset, { trouble, signal }),
    trainButton(desk, { trouble, signal }),
  );
  const characters = new Set(confirmed.data.flatMap(({ text }) => [...text]));
  view = workplace(desk, characters, signal);
  main.append(...view.elements);
  await desk.choose("chosen");
  if (!apiKey()) await askName(main);
  desk.focus();
  await desk.watch();
}

/** Everything below the heading: where one stands, what was not saved, the images. */
function workplace(desk, characters, signal) {
  const keys = keysDialog();
  const parts = { cache: imageCache(signal), help: keys.open, characters };
  const views = { one: oneView(desk, parts), grid: gridView(desk, parts) };
  const [standing, notes] = [standingView(), notesView(desk)];
  const live = h("p", { class: "visually-hidden", role: "status" });
  const unsaved = h("p", { class: "notice warning", hidden: true, role: "status" });
  const place = h("div", { class: "place" });
  const current = () => (desk.isGrid ? views.grid : views.one);
  const bar = toolbar(desk, { keys, choose: chooseView });

  function chooseView(name) {
    localStorage.setItem(VIEW, name);
    desk.isGrid = name === "grid";
    replace(place, current().element);
    desk.go(desk.at).then(() => isTouch() || desk.focus());
  }
  const draw = () => {
    for (const item of desk.items) if (labelOf(item).state === "confirmed") [...labelOf(item).text].forEach((one) => characters.add(one));
    standing.draw(desk.dataset);
    notes.draw();
    bar.draw();
    unsaved.hidden = !desk.waiting;
    unsaved.textContent = desk.waiting ? unsavedText(desk) : "";
    current().draw();
  };
  desk.focus = () => current().focus();
  desk.isGrid = localStorage.getItem(VIEW) === "grid";
  replace(place, current().element);
  listen(desk, current, signal);
  const told = (what) => {
    if (what === "learned") standing.learned();
    draw();
    if (what !== "moved") return;
    if (mayFocus()) desk.focus();
    live.textContent = inWords(desk);
  };
  const card = h("section", { class: "card desk", "aria-label": "Images" }, bar.element, place, live);
  return { told, elements: [h("section", { class: "card", "aria-label": "Where you stand" }, standing.element), unsaved, notes.element, card, keys.dialog] };
}

/** Which images, one or many, and the keys. */
function toolbar(desk, { keys, choose }) {
  const order = h(
    "select",
    { "aria-label": "Which images", onchange: () => desk.choose(order.value) },
    Object.entries(ORDERS).map(([value, { title }]) => h("option", { value }, title)),
  );
  const views = [
    ["one", "One"],
    ["grid", "Grid"],
  ].map(([name, text]) => h("button", { type: "button", onclick: () => choose(name) }, text));
  const help = h("button", { type: "button", class: "quiet", onclick: () => keys.open(null) }, "Keys", h("kbd", {}, "?"));
  const options = new Map([...order.options].map((option) => [option.value, option]));
  return {
    element: h("div", { class: "row toolbar" }, order, h("div", { class: "choice", role: "group", "aria-label": "View" }, views), help),
    draw() {
      views.forEach((button, i) => button.setAttribute("aria-pressed", String(desk.isGrid === (i === 1))));
      const { counts } = desk.dataset;
      for (const [name, { title, state }] of Object.entries(ORDERS)) {
        const shown = state?.length === 1 ? `${title} (${counts[state].toLocaleString("en")})` : title;
        if (options.get(name).textContent !== shown) options.get(name).textContent = shown;
      }
    },
  };
}

/** Keys that are pressed anywhere but in a field or on a control go to the image in hand. */
function listen(desk, current, signal) {
  const onKey = (event) => {
    const isTaken = event.target.closest("input, select, textarea, dialog, summary");
    const isPress = event.key === "Enter" && event.target.closest("button, a");
    if (isTaken || isPress || event.ctrlKey || event.altKey || event.metaKey) return;
    const input = current().input();
    if (!desk.item) return atTheEnd(desk, event);
    if (!input || event.key === "Tab") return;
    if (event.key.length > 1 || event.key === "?") {
      if (event.key === "Shift") return;
      event.preventDefault();
      if (event.key === "Enter" && !event.shiftKey) input.form.requestSubmit();
      else input.dispatchEvent(new KeyboardEvent("keydown", event));
    }
    input.focus();
  };
  document.addEventListener("keydown", onKey, { signal });
}

function atTheEnd(desk, event) {
  if (event.key === "ArrowUp") desk.go(desk.at - 1);
  if (event.key === "Escape") undo(desk);
}

const isTouch = () => matchMedia("(pointer: coarse)").matches;

/** Whether the focus may go to the image in hand: not from other controls, nor to raise a keyboard. */
function mayFocus() {
  const active = document.activeElement;
  if (document.querySelector("dialog[open]")) return false;
  if (isTouch()) return active.matches(".answer");
  return active === document.body || Boolean(active.closest("h1, .place"));
}

function unsavedText({ waiting, unsent }) {
  if (!unsent) return waiting.message;
  const what = `${count(unsent, "label")} ${unsent === 1 ? "is" : "are"} not saved yet`;
  return `${waiting.message} ${what}: this browser stores them, and sends them again by itself.`;
}

/** What a screen reader says of the image in hand. */
function inWords({ item, ended }) {
  if (!item) return ended ? "That was the last image." : "";
  return `${item.image.name}: ${offered(item) || "no text"}. ${originOf(item)}`;
}
