// The place of labels: datasets that are being labelled, new images, corrections and review.

import { api } from "../../lib/api.js";
import { emptyState, h, replace, table } from "../../lib/dom.js";
import { percent } from "../../lib/format.js";
import { newImages } from "../../labelling/images/new_images.js";
import { correctionsCard } from "./corrections.js";

export async function show(main, params, signal) {
  let known = [];
  const list = h("div", {}, h("p", { class: "faint" }, "Looking for datasets…"));
  const others = h("div", { class: "slot" });
  main.append(
    h("div", { class: "page-head" }, h("h1", {}, "Labels")),
    newImages(() => known, signal),
    h("section", { class: "card", "aria-labelledby": "datasets" }, h("h2", { id: "datasets" }, "Being labelled"), list),
    others,
  );
  const { data } = await api("/datasets?limit=1000", { signal });
  known = data.filter((one) => one.counts);
  replace(list, known.length ? datasetTable(known) : emptyState("Nothing yet", h("p", {}, "Images that you drop above stand here.")));
  replace(others, await correctionsCard(signal));
}

function datasetTable(datasets) {
  const number = (value) => value.toLocaleString("en");
  const row = ({ id, name, counts, estimate }) => [
    h("a", { href: `#/label/${id}` }, name),
    number(Object.values(counts).reduce((all, one) => all + one, 0)),
    number(counts.confirmed + counts.suspected),
    number(counts.unlabelled + counts.proposed),
    estimate ? percent(estimate.accuracy) : "–",
  ];
  return table("Datasets, newest first", ["Name", "Images", "Confirmed", "To go", "Estimated accuracy"], datasets.map(row));
}
