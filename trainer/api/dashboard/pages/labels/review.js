// The least confident predictions that wait for review, where the predictor archives images.

import { actionButton, attempt } from "../../lib/action.js";
import { ApiError, api, imageView, respond } from "../../lib/api.js";
import { announce, emptyState, errorBox, h, replace } from "../../lib/dom.js";
import { percent } from "../../lib/format.js";
import { saveCorrection, textInput } from "../../views/prediction_view.js";

const SHOWN = 24;
const OFF = ["archive_disabled", "predictor_unavailable"]; // no faults

/** The card with them; saved() is called once one of them has become a correction. */
export async function reviewCard(name, saved, signal) {
  const list = h("div", { class: "slot" });
  const trouble = h("div", { class: "slot" });
  const draw = async () => {
    try {
      const query = new URLSearchParams({ model: name, limit: SHOWN });
      const { data } = await api(`/review?${query}`, { signal });
      const one = (waiting) => reviewItem(waiting, { trouble, signal, draw, saved });
      replace(list, data.length ? h("ul", { class: "labels" }, data.map(one)) : emptyState("Nothing waits."));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isOff = OFF.includes(error.code);
      replace(list, isOff ? h("p", { class: "help" }, `${error.message} ${error.hint}`) : errorBox(error));
    }
  };
  await draw();
  return h(
    "section",
    { class: "card", "aria-labelledby": "review" },
    h("h2", { id: "review" }, "Waiting for review"),
    h("p", { class: "help" }, "Images that were read lately, the least confident first."),
    trouble,
    list,
  );
}

function reviewItem(waiting, { trouble, signal, draw, saved }) {
  const shown = waiting.text || "nothing";
  const predictedBy = waiting.version === null ? "the starter" : `version ${waiting.version}`;
  const input = textInput({ value: waiting.text ?? "", "aria-label": `Right text of the image read as ${shown}` });
  const done = async () => {
    await api(waiting.image, { method: "DELETE", signal });
    await draw();
  };
  const correct = async () => {
    const image = await (await respond(waiting.image, { signal })).blob();
    const { text } = await saveCorrection(image, input.value, waiting, "review", signal);
    announce(`Stored: it says ${text}.`);
    await done();
    await saved();
  };
  const save = h("button", {}, "Store this text");
  const pass = actionButton("Pass over", done, { trouble, "aria-label": `Pass over ${shown}` });
  const submit = (event) => (event.preventDefault(), attempt(correct, { trouble, button: save }));
  return h(
    "li",
    {},
    imageView(waiting.image, `Image read as ${shown}`, signal),
    h(
      "form",
      { class: "stack", onsubmit: submit },
      input,
      h("small", {}, "read as ", h("bdi", {}, shown), ` (${percent(waiting.confidence)}) by ${predictedBy}`),
      h("div", { class: "actions" }, save, pass),
    ),
  );
}
