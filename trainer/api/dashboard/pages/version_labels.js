// Labels that may be wrong, each to be confirmed, corrected or left out; then trained again.

import { actionButton } from "../lib/action.js";
import { api, imageView } from "../lib/api.js";
import { emptyState, h, quoted, replace } from "../lib/dom.js";
import { count, percent } from "../lib/format.js";
import { labelText } from "../views/dataset_view.js";
import { textInput } from "../views/prediction_view.js";

const SHOWN = 30;

/** The card with suspected labels and the worst predictions of a report.
 *
 * at: the version's address in the API; job: the one that made it, null if it is not known;
 * corrections: how many the model has.
 */
export function labelsCard(at, report, { job, corrections }, signal) {
  const changes = new Map();
  const bar = h("div", { class: "slot", role: "status" });
  const again = h("div", { class: "again", hidden: !corrections }, trainAgain(job, changes, corrections, signal));
  const tell = () => {
    replace(bar, changes.size > 0 && h("p", {}, `${count(changes.size, "label")} changed.`));
    again.hidden = !changes.size && !corrections;
  };
  const change = (file, label) => {
    if (label === undefined) changes.delete(file);
    else changes.set(file, label);
    tell();
  };
  const show = (one) => labelRow(one, imageOf(one, at, job, signal), change);
  return h(
    "section",
    { class: "card", "aria-labelledby": "labels" },
    h("h2", { id: "labels" }, "Are these labels right?"),
    part(
      "Suspected labels",
      "Training images for which it predicts another text, the most confident first.",
      report.suspects ?? [],
      show,
    ),
    part("Worst predictions", "Held-out images with wrong predictions, the most confident first.", report.worst, show),
    h("div", { class: "sticky" }, bar, again),
  );
}

function part(title, help, predictions, show) {
  const list = h("ol", { class: "labels" }, predictions.slice(0, SHOWN).map(show));
  const more = h("button", { type: "button" }, `Show ${predictions.length - SHOWN} more`);
  more.addEventListener("click", () => {
    list.append(...predictions.slice(SHOWN).map(show));
    more.remove();
  });
  return [
    h("h3", {}, title),
    predictions.length ? h("p", { class: "help" }, help) : emptyState("None."),
    predictions.length > 0 && list,
    predictions.length > SHOWN && h("div", { class: "actions" }, more),
  ];
}

/** The image: of the report; else of the zip that was sent, if it is still there. */
function imageOf({ file, image: path, truth }, at, job, signal) {
  const alt = `Image labelled ${labelText(truth)}`;
  if (path) return imageView(`${at}/files/${path}`, alt, signal);
  const id = job?.request.dataset.id;
  if (id) return imageView(`/datasets/${id}/images?file=${encodeURIComponent(file)}`, alt, signal);
  return h("span", { class: "missing" }, "no image is stored");
}

/** An image with its three choices; change(file, label) hears of each, undefined for "keep". */
function labelRow({ file, truth, text, confidence }, image, change) {
  const input = textInput({ value: text, "aria-label": `Right label of ${file}` });
  const group = `choice-${++labelRow.count}`;
  const radio = (props, content) =>
    h("label", { class: "check" }, h("input", { type: "radio", name: group, ...props }), content);
  const give = () => change(file, input.value.trim() || undefined);
  const other = h("input", { type: "radio", name: group, "aria-label": "It says", onchange: give });
  input.addEventListener("input", () => {
    other.checked = true;
    give();
  });
  return h(
    "li",
    {},
    image,
    h(
      "fieldset",
      {},
      h(
        "legend",
        {},
        h("span", { class: "visually-hidden" }, `${file}: `),
        "labelled ",
        quoted(labelText(truth)),
        ", read as ",
        quoted(text || "nothing"),
        h("small", {}, ` ${percent(confidence)}`),
      ),
      radio({ checked: true, onchange: () => change(file, undefined) }, ["Keep ", quoted(labelText(truth))]),
      h("span", { class: "check" }, other, h("span", { "aria-hidden": "true" }, "It says"), input),
      radio({ onchange: () => change(file, null) }, "Leave it out"),
    ),
  );
}
labelRow.count = 0;

/** A button that posts the version's job once more, with the changed labels and the corrections. */
function trainAgain(job, changes, corrections, signal) {
  if (!job) {
    const why = "The job that made this version is not known here any more, so it cannot be done again.";
    return h("p", { class: "notice warning" }, why);
  }
  const trouble = h("div", { class: "slot" });
  const tick = h("input", { type: "checkbox", checked: corrections > 0 });
  const start = async () => {
    const relabel = { ...job.request.relabel, ...Object.fromEntries(changes) };
    const json = { ...job.request, relabel, corrections: tick.checked };
    const next = await api("/jobs", { method: "POST", json, signal });
    location.hash = `#/jobs/${next.id}`;
  };
  const button = actionButton("Train again with these corrections", start, { trouble, class: "primary" });
  const added = `with the ${count(corrections, "correction")} of ${job.model}`;
  return [trouble, h("div", { class: "row" }, button, corrections > 0 && h("label", { class: "check" }, tick, added))];
}
