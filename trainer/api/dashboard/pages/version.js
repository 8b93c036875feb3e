// One version: what was measured, what it gets wrong, and labels to be corrected.

import { ApiError, api, imageView } from "../lib/api.js";
import { chip, emptyState, figures, h, quoted, replace } from "../lib/dom.js";
import { ago, count, duration, moment, percent, spelled } from "../lib/format.js";
import { downloads, interval, modelPath, serveButton, tellsLittle, unreadable } from "../views/version_view.js";
import { labelsCard } from "./version_labels.js";
import { mistakeCards } from "./version_mistakes.js";

const INPUTS = "report/inputs.png";

export async function show(main, { name, version }, signal) {
  const trouble = h("div", { class: "slot" });
  const head = h("div", { class: "row" });
  main.append(
    h(
      "p",
      { class: "crumbs" },
      h("a", { href: "#/models" }, "Models"),
      " / ",
      h("a", { href: `#${modelPath(name)}` }, name),
      ` / ${version}`,
    ),
    h("div", { class: "page-head" }, h("h1", {}, `${name}, version ${version}`), head),
    trouble,
  );
  const at = modelPath(name, "versions", version);
  const details = await api(at, { signal });
  const drawHead = async () => replace(head, await headButtons(name, details, { trouble, signal, done: drawHead }));
  await drawHead();
  const [report, job, corrections] = await Promise.all([
    ifThere(api(`${at}/report`, { signal })),
    ifThere(api(`/jobs/${encodeURIComponent(details.job_id)}`, { signal })),
    api(`${modelPath(name, "corrections")}?limit=1`, { signal }),
  ]);
  main.append(
    details.metrics ? measuredCard(details) : emptyState("This version was not measured here."),
    ...(report ? [labelsCard(at, report, { job, corrections: corrections.count }, signal), mistakeCards(report, details.calibration)] : []),
    factsCard(at, details, job, signal),
    filesCard(name, details, { trouble, signal }),
  );
}

/** What it is about, or null if there is no such thing (any more). */
function ifThere(asked) {
  return asked.catch((error) => {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  });
}

async function headButtons(name, { version }, parts) {
  const { current } = await api(modelPath(name), { signal: parts.signal });
  const tryIt = h("a", { class: "button", href: `#/try/${encodeURIComponent(name)}` }, "Try it");
  if (current === version) return [chip("served"), tryIt];
  return [serveButton(name, version, { ...parts, class: "primary" }), tryIt];
}

function measuredCard({ metrics, comparison }) {
  return h(
    "section",
    { class: "card", "aria-labelledby": "measured" },
    h("h2", { id: "measured" }, metrics.folds == null ? "On the held-out images" : "On images that a network had not seen"),
    figures([
      ["Exact match", percent(metrics.exact_match), interval(metrics)],
      ["Wrong characters", percent(metrics.cer), "character error rate"],
      ["Confidence", percent(metrics.mean_confidence), "on average"],
      ...unreadable(metrics),
      ["Learned from", metrics.train_images.toLocaleString("en"), learnedFrom(metrics)],
      ["Training took", duration(metrics.train_seconds), `${metrics.epochs} epochs`],
    ]),
    tellsLittle(metrics),
    comparison && h("p", {}, compared(comparison)),
  );
}

function learnedFrom({ folds, validation_images, unlabelled_images }) {
  if (folds == null) return `${validation_images} more chose the best epoch`;
  return unlabelled_images ? `all of them, and ${count(unlabelled_images, "image")} without a text` : "all of them";
}

function compared({ version, images, exact_match, served_exact_match, gained, lost }) {
  return (
    `On the same ${images} images, version ${version}, which was served then, read ${percent(served_exact_match)} right ` +
    `and this one ${percent(exact_match)}: ${gained} gained, ${lost} lost.`
  );
}

function factsCard(at, details, job, signal) {
  const { image, label_lengths: byLength } = details;
  const lengths = Object.entries(byLength).map(([length, n]) => `${length}: ${n}`);
  const facts = [
    ["Trained", h("time", { datetime: details.created_at, title: moment(details.created_at) }, ago(details.created_at))],
    ["Job", job ? h("a", { href: `#/jobs/${job.id}` }, job.id.slice(4, 12)) : "not known any more"],
    ["Images", details.dataset],
    ["Vocabulary", quoted(spelled(details.vocabulary))],
    ["Labels by length", lengths.join(", ")],
    ["Input", inputText(image)],
    ["Preset", details.preset ?? "–"],
    ["Started from", details.base ?? "nothing"],
    ["Seed", details.seed],
    ...Object.entries(details.parameters).map(([key, value]) => [key.replaceAll("_", " "), String(value)]),
  ];
  return h(
    "section",
    { class: "card", "aria-labelledby": "facts" },
    h("h2", { id: "facts" }, "What it is"),
    h("dl", { class: "facts" }, facts.map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)])),
    details.files[INPUTS] && [
      h("h3", {}, "As the network sees them"),
      imageView(`${at}/files/${INPUTS}`, "Training images after cutting, resizing and conversion", signal),
    ],
  );
}

function inputText({ width, height, channels, resize, region, rows }) {
  const size = resize === "follow" ? `up to ${width} × ${height}` : `${width} × ${height}`;
  const part = region ? `, rows ${percent(region.top)} to ${percent(region.bottom)}` : "";
  const columns = region ? `, columns ${percent(region.left)} to ${percent(region.right)}` : "";
  const joined = rows === 2 ? ", two rows of text joined" : "";
  return `${size}, ${channels === 1 ? "gray" : "colour"}, ${resize}${part}${columns}${joined}`;
}

function filesCard(name, { version, files }, parts) {
  return h(
    "section",
    { class: "card", "aria-labelledby": "files" },
    h("h2", { id: "files" }, "Download"),
    downloads(name, version, { ...parts, sizes: files }),
  );
}
