// The settings of a new job, with what is used if nothing is said.

import { attempt } from "../lib/action.js";
import { api } from "../lib/api.js";
import { field, h } from "../lib/dom.js";
import { count } from "../lib/format.js";

/** What a search that is begun here varies. */
const SEARCHED = {
  learning_rate: { low: 0.0005, high: 0.005, log: true },
  augmentation: { low: 0, high: 2 },
};

/** A form that starts a job of what is given (its dataset and labels) and of its own fields.
 *
 * proposedName: of the model.
 */
export function settingsForm(given, signal, proposedName) {
  const controls = makeControls();
  if (proposedName) controls.model.value = proposedName;
  const corrections = correctionsTick(controls.model, signal);
  const problem = h("div", { class: "slot" });
  const button = h("button", { class: "primary" }, "Start training");
  const start = async () => {
    const json = { ...given, ...request(controls), ...corrections.request() };
    const job = await api("/jobs", { method: "POST", json, signal });
    location.hash = `#/jobs/${job.id}`;
  };
  const submit = (event) => {
    event.preventDefault();
    attempt(start, { trouble: problem, button });
  };
  return h(
    "form",
    { class: "settings", onsubmit: submit },
    h("div", { class: "fields" }, field("Model", controls.model, "A name of its own for each kind of images.")),
    corrections.element,
    h("details", {}, h("summary", {}, "More settings"), advanced(controls)),
    problem,
    h("div", { class: "actions" }, button),
  );
}

function makeControls() {
  const number = (min, max, step) => h("input", { type: "number", min, max, step, placeholder: "chosen from the data" });
  const select = (...options) => h("select", {}, options.map(([value, text]) => h("option", { value }, text)));
  return {
    model: h("input", {
      value: "default",
      required: true,
      spellcheck: "false",
      autocapitalize: "none",
      maxlength: 64,
      pattern: "[a-z0-9][a-z0-9._\\-]*",
      title: "Small letters, digits, dots, dashes and underscores; a letter or digit first.",
    }),
    preset: select(
      ["auto", "auto: conv, and conv-large where it errs less"],
      ["conv", "conv: quick and exact"],
      ["conv-large", "conv-large: slower, for hard images"],
      ["crnn", "crnn: the classic CRNN"],
    ),
    epochs: number(1, 10000, 1),
    max_minutes: number(0.1, 10080, "any"),
    trials: h("input", { type: "number", min: 2, max: 1000, step: 1, placeholder: "no search" }),
    seed: h("input", { type: "number", min: 0, max: 2 ** 32 - 1, step: 1, value: "0", required: true }),
    base: h("input", { value: "starter", required: true, pattern: "starter|none|[1-9][0-9]*", spellcheck: "false" }),
    evaluation: select(
      ["auto", "on held-out images; in folds below 150 images"],
      ["test_part", "on held-out images"],
      ["cross_validation", "in folds: every image is learned from"],
    ),
    self_training: select(
      ["auto", "learned from where that helps"],
      ["off", "left out"],
    ),
    detector: select(["auto", "learn, where the set marks one line in each"], ["off", "images are lines already"]),
    promote: select(["auto", "unless it is clearly worse"], ["always", "always"], ["never", "never, I decide later"]),
  };
}

function advanced(controls) {
  return h(
    "div",
    { class: "fields" },
    field("Kind of model", controls.preset),
    field("Epochs", controls.epochs, "How often every image is shown."),
    field("At most so many minutes", controls.max_minutes, "Of training; with a search, for all trials together."),
    field("Trials of a search", controls.trials, "Trains so often, with other learning rates and variation, and uses the best."),
    field("Start from", controls.base, "starter, none, or the number of a version of this model."),
    field("Measure the model", controls.evaluation),
    field("Images without a text", controls.self_training, "Below 150 labelled images: the model may read them, and learn from what it is sure of."),
    field("Find the line in photographs", controls.detector),
    field("Serve the new version", controls.promote),
    field("Seed", controls.seed, "The same seed splits the images in the same way."),
  );
}

function request({ model, preset, epochs, max_minutes, trials, seed, base, evaluation, self_training, detector, promote }) {
  const hyperparameters = {};
  const search = trials.value ? { parameters: SEARCHED, trials: Number(trials.value) } : null;
  if (epochs.value) hyperparameters.epochs = Number(epochs.value);
  if (max_minutes.value) (search ?? hyperparameters).max_minutes = Number(max_minutes.value);
  return {
    model: model.value,
    preset: preset.value,
    seed: Number(seed.value),
    base: /^\d/.test(base.value) ? Number(base.value) : base.value,
    evaluation: evaluation.value,
    self_training: self_training.value,
    detector: detector.value,
    promote: promote.value,
    hyperparameters,
    search,
  };
}

/** A tick box for the corrections of the model named. It stays in its place where there are none: what
 * follows would move away from under a click that ends the naming. */
function correctionsTick(model, signal) {
  const tick = h("input", { type: "checkbox", id: "add-corrections" });
  const text = h("label", { for: "add-corrections" });
  const element = h("div", { class: "check" }, tick, text);
  const tell = (found) => {
    tick.disabled = !found;
    text.textContent = found ? `Add the ${count(found, "correction")} of ${model.value}` : "No corrections to add";
  };
  const look = async () => {
    tell(0);
    const name = model.value;
    const page = await api(`/models/${encodeURIComponent(name)}/corrections?limit=1`, { signal }).catch(() => null);
    if (!page?.count || name !== model.value) return;
    tell(page.count);
  };
  model.addEventListener("change", look);
  look();
  return { element, request: () => (tick.checked && !tick.disabled ? { corrections: true } : {}) };
}
