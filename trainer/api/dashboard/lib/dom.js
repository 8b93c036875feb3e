// Builds elements. Text is always text: nothing here or elsewhere parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Make an HTML element: h("a", {href: "#/", class: "button", onclick: go}, "Text", [more]).
 *
 * props: attributes; functions under on… are listeners; true is an attribute without value,
 * false, null and undefined are left out; style is an object of CSS properties ("--share": 0.5);
 * value, checked and disabled are set as properties. Children: text, numbers, nodes, arrays of
 * them; null, undefined and false are left out.
 */
export function h(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

/** Make an SVG element; as h. */
export function svg(tag, props, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

/** Put these children in the place of what the node holds. */
export function replace(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

/** Tell screen readers, and show for a moment, what has happened. */
export function announce(text) {
  const line = document.getElementById("status");
  line.textContent = text;
  clearTimeout(announce.timer);
  announce.timer = setTimeout(() => (line.textContent = ""), 6000);
}

/** A box that tells an error (of api.js, or any other) with what to do about it. */
export function errorBox(error) {
  const fields = (error.fields ?? []).map((one) => h("li", {}, `${one.field}: ${one.message}`));
  return h(
    "div",
    { class: "notice error", role: "alert" },
    h("p", {}, h("strong", {}, error.message)),
    fields.length > 1 && h("ul", {}, fields),
    error.hint && h("p", {}, error.hint),
  );
}

/** A box that says that there is nothing yet, and what to do next. */
export function emptyState(title, ...children) {
  return h("div", { class: "empty" }, h("p", { class: "title" }, title), ...children);
}

/** A text of an image: it runs in its own direction, whatever stands around it. */
export function quoted(text) {
  return h("code", { dir: "auto" }, text);
}

/** A card with a heading. */
export function card(title, ...children) {
  return h("section", { class: "card" }, h("h2", {}, title), ...children);
}

/** A label with its control and an optional line of help, tied together for screen readers. */
export function field(label, control, help) {
  control.id ||= `field-${++field.count}`;
  if (help) control.setAttribute("aria-describedby", `${control.id}-help`);
  return h(
    "div",
    { class: "field" },
    h("label", { for: control.id }, label),
    control,
    help && h("p", { class: "help", id: `${control.id}-help` }, help),
  );
}
field.count = 0;

/** A chip that shows a status in words; states: queued, running, succeeded, failed, cancelled. */
export function chip(state, text = state) {
  return h("span", { class: "chip", "data-state": state }, text);
}

/** A table that becomes cards on narrow screens.
 *
 * columns: [heading, …]; rows: arrays of cells (text, nodes or null), or [cells, props of the row].
 */
export function table(caption, columns, rows) {
  const head = columns.map((name) => h("th", { scope: "col" }, name));
  const cell = (content, index) => h("td", { "data-label": columns[index] }, content);
  return h(
    "table",
    { class: "cards" },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, h("tr", {}, head)),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map(cell)))),
  );
}

/** Key figures side by side: figures([["Exact match", "98.1 %", "97.0 to 98.9 %"], …]). */
export function figures(list) {
  const one = ([name, value, note]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, value, note && h("small", {}, note)));
  return h("dl", { class: "figures" }, list.map(one));
}

function build(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (name === "style") {
    for (const [property, each] of Object.entries(value)) element.style.setProperty(property, each);
  } else if (["value", "checked", "disabled"].includes(name)) element[name] = value;
  else element.setAttribute(name, value === true ? "" : value);
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
