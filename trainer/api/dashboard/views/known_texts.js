// The texts that a model's predictions may be: a list of them, and a rule for numbers.

import { actionButton } from "../lib/action.js";
import { api } from "../lib/api.js";
import { announce, field, h } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { modelPath } from "./version_view.js";

const THRESHOLD = 0.5; // the predictor's own, where a model has none
const RULES = [
  ["", "none"],
  ["ean", "EAN, UPC and GTIN"],
  ["iban", "IBAN"],
  ["iso6346", "ISO 6346: shipping containers"],
  ["luhn", "Luhn: payment cards, IMEI"],
  ["mod97", "ISO 7064 mod 97-10"],
];

/** A card that sets both; allowed: {texts, check_digit, threshold} as the API tells them. */
export function knownTextsCard(model, allowed, { trouble, signal, done }) {
  const list = h("textarea", { rows: 6, dir: "auto", spellcheck: "false", autocapitalize: "none", placeholder: "anything" });
  list.value = (allowed.texts ?? []).join("\n");
  const rule = h("select", {}, RULES.map(([value, name]) => h("option", { value, selected: value === (allowed.check_digit ?? "") }, name)));
  const threshold = h("input", { type: "number", min: 0, max: 1, step: "any", placeholder: THRESHOLD, value: allowed.threshold ?? "" });
  const set = async (json) => {
    const now = await api(modelPath(model.name, "allowed"), { method: "POST", json, signal });
    announce(told(now));
    await done();
  };
  const save = () => {
    const texts = list.value.split("\n").filter((line) => line.trim());
    const limited = texts.length > 0 || rule.value !== "";
    return set({
      texts: texts.length ? texts : null,
      check_digit: rule.value || null,
      threshold: limited && threshold.value ? Number(threshold.value) : null,
    });
  };
  const some = allowed.texts !== null || allowed.check_digit !== null;
  return h(
    "section",
    { class: "card", "aria-labelledby": "known-texts" },
    h("h2", { id: "known-texts" }, "Known texts"),
    field("All texts that may come", list, "Each on a line; empty for any. An image of another text is rejected."),
    h(
      "div",
      { class: "fields" },
      field("Check digit", rule, "Predictions must be such numbers."),
      field("Reject below", threshold, `Confidence, 0 to 1; ${THRESHOLD} unless set.`),
    ),
    h(
      "div",
      { class: "actions" },
      actionButton("Save", save, { trouble, "aria-label": "Save known texts" }),
      some && actionButton("Allow any text", () => set({ texts: null, check_digit: null, threshold: null }), { trouble }),
    ),
  );
}

function told({ allowed_texts: texts, check_digit: rule }) {
  if (texts === null && rule === null) return "Predictions may be any text.";
  const which = texts === null ? "any text" : `one of ${count(texts, "text")}`;
  return `Predictions must be ${which}${rule === null ? "" : ` with a right check digit (${rule})`}.`;
}
