// Where one stands: how many are confirmed, and how right the rest would be.

import { chip, h, replace } from "../lib/dom.js";
import { count } from "../lib/format.js";

const NEWS_SECONDS = 8;

const whole = (share) => Math.round(100 * share);

/** The line in words, as for {counts, estimate} of a dataset. */
export function standingText({ counts, estimate }) {
  const confirmed = counts.confirmed + counts.suspected;
  const rest = counts.unlabelled + counts.proposed;
  const parts = [`${confirmed.toLocaleString("en")} confirmed.`];
  if (estimate) {
    const { accuracy, low, high, more_for_98: more } = estimate;
    parts.push(`Estimated accuracy on the rest: ${whole(accuracy)} % (${whole(low)}-${whole(high)} %).`);
    if (more > 0) parts.push(`About ${more.toLocaleString("en")} more for 98 %.`);
    else if (more === 0) parts.push("That is enough for 98 %.");
  } else if (rest) {
    parts.push(`${count(rest, "image")} to go. How right the proposals are is estimated after the first dozen.`);
  }
  return parts.join(" ");
}

/** The card's content: the line, a scale that shows the same, and whether something is being learned. */
export function standingView() {
  const text = h("p", { class: "standing" });
  const scale = h("div", { class: "scale", "aria-hidden": "true" }, h("span", { class: "band" }), h("span", { class: "goal" }), h("span", { class: "dot" }));
  const state = h("div", { class: "row", role: "status" });
  let news = 0; // until when it says that there are new proposals
  return {
    element: h("div", { class: "stack" }, h("div", { class: "page-head" }, text, state), scale),
    draw(dataset) {
      text.textContent = standingText(dataset);
      const { estimate, learning } = dataset;
      scale.hidden = !estimate;
      for (const [name, value] of Object.entries(estimate ?? {})) scale.style.setProperty(`--${name}`, value);
      const [kind, shown] = Date.now() < news ? ["succeeded", "New proposals"] : ["running", learning ? "Learning" : ""];
      if (state.textContent !== shown) replace(state, shown !== "" && chip(kind, shown));
    },
    learned: () => (news = Date.now() + NEWS_SECONDS * 1000),
  };
}
