// What the check of a dataset found, for the form and for a job's page.

import { imageView } from "../lib/api.js";
import { figures, h, quoted, table } from "../lib/dom.js";
import { count, spelled } from "../lib/format.js";

const KINDS = {
  duplicate: "the same image once more",
  conflicting_labels: "the same image with different labels",
  unreadable: "no image that can be read",
  missing_label: "an image without a label",
  missing_image: "a label without an image",
  empty_label: "an empty label",
  label_too_long: "a label that is too long",
  unprintable_label: "a label with control characters",
  unprintable_name: "a file name with control characters",
};

/** Counts, split, sizes, characters, warnings, and what is left out with the reasons. */
export function datasetSummary(summary) {
  const { train, validation, test } = summary.split;
  const leftOut = summary.found - summary.images;
  return h(
    "div",
    { class: "summary" },
    figures([
      ["Usable images", summary.images.toLocaleString("en"), `of ${summary.found.toLocaleString("en")} found`],
      ...(summary.folds > 0
        ? [["To learn from", train.toLocaleString("en"), `each measures, too: in ${summary.folds} folds`]]
        : [
            ["To learn from", train.toLocaleString("en"), `${validation} more choose the best epoch`],
            ["Held out", test.toLocaleString("en"), "measure the result"],
          ]),
      ["Characters", [...summary.vocabulary].length, lengths(summary.label_lengths)],
      ["Size", commonSize(summary), otherSizes(summary)],
    ]),
    h(
      "dl",
      { class: "facts" },
      fact("Labels from", summary.labels_from),
      fact("Vocabulary", quoted(spelled(summary.vocabulary))),
    ),
    // Jobs of earlier releases have none.
    [...(summary.label_notes ?? []), ...(summary.split_notes ?? [])].map((text) => h("p", {}, text)),
    summary.warnings.map((text) => h("p", { class: "notice warning" }, text)),
    leftOut > 0 && leftOutFiles(summary, leftOut),
  );
}

/** Images with their labels: samples [{file, label}] of an upload. */
export function sampleImages(datasetId, samples, signal) {
  const one = ({ file, label }) => {
    const path = `/datasets/${datasetId}/images?file=${encodeURIComponent(file)}`;
    return h("li", {}, h("figure", {}, imageView(path, `Image ${file}`, signal), h("figcaption", { dir: "auto" }, labelText(label))));
  };
  return h("ul", { class: "images" }, samples.map(one));
}

/** A label as it is shown; an empty one says that there is nothing to read. */
export const labelText = (label) => label || "nothing to read";

function fact(name, value) {
  return [h("dt", {}, name), h("dd", {}, value)];
}

function lengths(byLength) {
  const all = Object.keys(byLength).map(Number);
  const [shortest, longest] = [Math.min(...all), Math.max(...all)];
  return shortest === longest ? `each label has ${longest}` : `labels have ${shortest} to ${longest}`;
}

const commonSize = (summary) => Object.keys(summary.sizes)[0].replace("x", " × ");

function otherSizes(summary) {
  const others = summary.different_sizes - 1;
  return others ? `and ${count(others, "other size")}` : "all the same";
}

function leftOutFiles(summary, number) {
  const kinds = Object.entries(summary.left_out).map(([kind, n]) => `${n} × ${KINDS[kind] ?? kind}`);
  const listed = summary.problems.map((one) => [h("code", {}, one.file), KINDS[one.kind] ?? one.kind, one.detail]);
  return h(
    "details",
    {},
    h("summary", {}, `${count(number, "file")} left out: ${kinds.join(", ")}`),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Files left out" },
      table("Files left out", ["File", "Why", "Detail"], listed),
    ),
    number > listed.length && h("p", { class: "help" }, `The first ${listed.length} are listed.`),
  );
}
