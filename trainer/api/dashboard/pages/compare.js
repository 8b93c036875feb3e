// Two versions of a model, image by image.

import { api, imageView } from "../lib/api.js";
import { announce, emptyState, field, figures, h, quoted, replace } from "../lib/dom.js";
import { count, percent } from "../lib/format.js";
import { labelText } from "../views/dataset_view.js";
import { modelPath } from "../views/version_view.js";

const SHOWN = 60;

const CHOICES = {
  different: ["read differently", ({ a, b }) => a.text !== b.text],
  wrong: ["wrong in either", ({ a, b }) => !(a.correct && b.correct)],
  all: ["all", () => true],
};

export async function show(main, { name, a, b }, signal) {
  const bar = h("progress", { "aria-label": "Predicting" });
  const waiting = h("div", { class: "card" }, h("p", {}, "Both versions are reading…"), bar);
  main.append(
    h(
      "p",
      { class: "crumbs" },
      h("a", { href: "#/models" }, "Models"),
      " / ",
      h("a", { href: `#${modelPath(name)}` }, name),
      ` / ${a} and ${b}`,
    ),
    h("div", { class: "page-head" }, h("h1", {}, `${name}: version ${a} beside version ${b}`)),
    waiting,
  );
  const query = new URLSearchParams({ a, b });
  try {
    const compared = await api(`${modelPath(name, "compare")}?${query}`, { signal });
    main.append(countsCard(compared), imagesCard(compared, signal));
    announce(`${count(compared.images.length, "image")} compared.`);
  } finally {
    waiting.remove();
  }
}

function countsCard(compared) {
  const { a, b, images } = compared;
  const known = images.filter((one) => one.a.seen || one.b.seen).length;
  const note = `${count(known, "image")} here served to train one of the versions; there it has an advantage.`;
  return h(
    "section",
    { class: "card", "aria-label": "Counts" },
    figures([
      ["Both correct", compared.both_correct],
      [`Only version ${a} correct`, compared.only_a_correct],
      [`Only version ${b} correct`, compared.only_b_correct],
      ["Neither correct", compared.neither_correct],
    ]),
    known > 0 && h("p", { class: "help" }, note),
  );
}

function imagesCard(compared, signal) {
  const list = h("div", { class: "slot" });
  const choice = h(
    "select",
    { onchange: () => draw(SHOWN) },
    Object.entries(CHOICES).map(([value, [title]]) => h("option", { value }, title)),
  );
  const draw = (most) => {
    const chosen = compared.images.filter(CHOICES[choice.value][1]);
    const all = h("button", { type: "button", onclick: () => draw(Infinity) }, `Show all ${chosen.length}`);
    replace(
      list,
      h("p", { class: "faint", role: "status" }, `${chosen.length} of ${count(compared.images.length, "image")}`),
      chosen.length
        ? h("ul", { class: "compared" }, chosen.slice(0, most).map((one) => comparedImage(one, compared, signal)))
        : emptyState("None: choose others above."),
      chosen.length > most && all,
    );
  };
  if (!compared.images.some(CHOICES.different[1])) choice.value = "all";
  draw(SHOWN);
  return h(
    "section",
    { class: "card", "aria-labelledby": "images" },
    h("h2", { id: "images" }, "Images"),
    h("div", { class: "fields" }, field("Show images", choice)),
    list,
  );
}

function comparedImage(one, { a, b }, signal) {
  return h(
    "li",
    {},
    imageView(one.image, `Image labelled ${labelText(one.truth)}`, signal),
    h("dl", { class: "facts" }, [
      h("dt", {}, "Label"),
      h("dd", {}, quoted(labelText(one.truth))),
      versionPrediction(a, one.a),
      versionPrediction(b, one.b),
    ]),
  );
}

function versionPrediction(version, { text, confidence, correct, seen }) {
  return [
    h("dt", {}, `Version ${version}`),
    h(
      "dd",
      { class: correct ? "right" : "wrong" },
      quoted(text || "nothing"),
      ` ${correct ? "correct" : "wrong"}, ${percent(confidence)}`,
      seen && h("small", {}, " trained on it"),
    ),
  ];
}
