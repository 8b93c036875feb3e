// The curves of a job: loss, and how much is correct.

import { lineChart } from "./chart.js";
import { h, replace } from "../lib/dom.js";
import { percent } from "../lib/format.js";

/** Draw the epochs of the latest attempt at learning into `place`; events as the API tells them. */
export function drawCurves(place, events) {
  const epochs = events.filter((one) => one.type === "progress").map((one) => one.data);
  const restarted = epochs.findLastIndex((one, i) => i && one.epoch <= epochs[i - 1].epoch);
  const shown = epochs.slice(Math.max(0, restarted));
  if (!shown.length) return;
  const open = [...place.querySelectorAll("details")].map((one) => one.open);
  replace(place, h("div", { class: "columns" }, curves(shown).map((chart) => h("div", { class: "card" }, chart))));
  place.querySelectorAll("details").forEach((one, i) => (one.open = open[i] ?? false));
}

function curves(epochs) {
  const points = (name) => epochs.map((one) => [one.epoch, one[name]]);
  const last = epochs.at(-1);
  return [
    lineChart({
      title: "Exact match",
      lines: [{ name: "validation part", points: points("exact_match") }],
      xName: "epoch",
      format: percent,
      top: 1,
      summary: `After epoch ${last.epoch}, ${percent(last.exact_match)} of the validation part.`,
    }),
    lineChart({
      title: "Loss",
      lines: [
        { name: "training", points: points("loss") },
        { name: "validation", points: points("validation_loss") },
      ],
      xName: "epoch",
      format: (value) => value.toPrecision(3),
      summary: `After epoch ${last.epoch}, ${last.loss.toPrecision(3)} in training and ${last.validation_loss.toPrecision(3)} in validation.`,
    }),
  ];
}
