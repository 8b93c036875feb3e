// Builds elements. Text is always text: nothing here or elsewhere parses HTML.

/** Make an element: h("a", {href: "#", onclick: go}, "Text", [more]).
 *
 * props: attributes; functions are properties (listeners); "--…" are CSS properties; value is a
 * property; false and null are left out. Children: text, nodes, arrays of them; null and false
 * are left out.
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === false || value === null) continue;
    if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (typeof value === "function" || name === "value") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Tell who cannot see it what has happened. */
export function announce(text) {
  byId("status").textContent = text;
}

/** A box that says what went wrong, and what would be right. */
export function errorBox({ message, hint }) {
  return h("div", { class: "notice error", role: "alert" }, h("p", {}, message), hint ? h("p", {}, hint) : null);
}
