// A prediction as the predictor answers it, and how it is corrected.

import { actionButton } from "../lib/action.js";
import { api } from "../lib/api.js";
import { announce, field, h, quoted, replace } from "../lib/dom.js";
import { percent } from "../lib/format.js";
import { modelPath } from "./version_view.js";

const UNSURE = 0.5;
const NEGLIGIBLE = 0.0005; // would be shown as 0.0 %
const STARTER = "starter"; // reads where there is no model yet, and is never trained itself

/** The text, large; under every character a bar of its confidence. */
export function predictionView({ text, confidence, characters, reason }) {
  if (text === null) return h("p", { class: "notice warning" }, reason.message);
  if (text === "") return h("p", { class: "notice warning" }, `No text was found (${percent(confidence)} sure).`);
  return [
    h("p", { class: "prediction", dir: "auto" }, text),
    h("p", { class: "faint" }, `${percent(confidence)} sure of the whole text`),
    h("ol", { class: "characters", dir: "auto", "aria-label": "Confidence of each character" }, characters.map(character)),
  ];
}

function character({ text, confidence }) {
  const unsure = confidence < UNSURE ? " unsure" : "";
  return h(
    "li",
    { class: "character" },
    h("b", {}, text),
    h("span", { class: `bar${unsure}`, style: { "--share": confidence }, "aria-hidden": "true" }),
    h("small", {}, percent(confidence)),
  );
}

/** The other texts that it might be; null if there are none. */
export function alternativesView(alternatives, text) {
  const others = alternatives.filter((one) => one.text !== text && one.confidence >= NEGLIGIBLE);
  if (!others.length) return null;
  const one = (other) => h("li", {}, quoted(other.text || "nothing"), " ", h("small", {}, percent(other.confidence)));
  return [h("h3", {}, "It might also be"), h("ul", { class: "plain" }, others.map(one))];
}

/** Store the right text of an image (a Blob) among the model's corrections; returns the correction.
 *
 * prediction: {model, version, text, confidence} as it was read; source: where it was corrected.
 */
export function saveCorrection(image, text, { model, version, text: read, confidence }, source, signal) {
  const form = new FormData();
  form.append("image", image, "image");
  for (const [name, value] of Object.entries({ text, read, confidence, version, source })) {
    if (value !== null && value !== undefined) form.append(name, value);
  }
  return api(modelPath(model, "corrections"), { method: "POST", body: form, signal });
}

/** An input for the text of an image, as it is: nothing is corrected, capitalised or turned in it. */
export function textInput(props) {
  return h("input", { required: true, dir: "auto", spellcheck: "false", autocapitalize: "none", ...props });
}

/** Asks for the right text of an image that has just been read. */
export function correctionForm(image, prediction, signal) {
  const input = textInput({ value: prediction.text ?? "" });
  const trouble = h("div", { class: "slot" });
  const save = async () => {
    const owner = prediction.model === STARTER ? { ...prediction, model: "default", version: null } : prediction;
    const { model, text } = await saveCorrection(image, input.value, owner, "dashboard", signal);
    announce(`Stored: it says ${text}.`);
    const link = h("a", { href: `#/corrections/${encodeURIComponent(model)}` }, `the corrections of ${model}`);
    replace(trouble, h("p", { class: "notice" }, "Stored among ", link, ": a training may add them to its images."));
  };
  const button = actionButton("Store", save, { trouble });
  const enter = (event) => (event.preventDefault(), button.click());
  return h(
    "details",
    {},
    h("summary", {}, "Not right? Correct it"),
    h(
      "form",
      { class: "stack", onsubmit: enter },
      field("What it says", input),
      trouble,
      h("div", { class: "actions" }, button),
    ),
  );
}
