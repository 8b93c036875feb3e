// The form for a new training: images, what the check found in them, settings, start.

import { api, upload } from "../lib/api.js";
import { datasetSummary, sampleImages } from "../views/dataset_view.js";
import { announce, errorBox, field, h, replace } from "../lib/dom.js";
import { ago, bytes, percent } from "../lib/format.js";
import { settingsForm } from "./job_settings.js";

/** The card with the form; it leads to the page of the job that it starts. */
export function newJobForm(signal) {
  const card = h("section", { class: "card", "aria-labelledby": "new-title" });
  const first = (error) =>
    replace(card, h("h2", { id: "new-title" }, "New training"), error && errorBox(error), imagesForm(take, signal));
  const take = async (what, send, fileName) => {
    const leave = new AbortController();
    signal.addEventListener("abort", () => leave.abort());
    const bar = h("progress", { "aria-label": what });
    const line = h("p", {}, what);
    const stop = h("button", { type: "button", onclick: () => leave.abort() }, "Cancel");
    replace(card, h("h2", { id: "new-title" }, "New training"), line, bar, h("div", { class: "actions" }, stop));
    const onProgress = (share) => {
      bar.value = share;
      line.textContent = share < 1 ? `${what} ${percent(share)}` : "Checking the zip…";
    };
    try {
      const dataset = await send({ onProgress, signal: leave.signal });
      replace(card, checkedForm(dataset, first, signal, modelName(fileName ?? "")));
      card.querySelector("h2").focus();
    } catch (error) {
      if (!signal.aborted) first(error.name === "AbortError" ? null : error);
    }
  };
  first(null);
  return card;
}

/** "My Meters (2).tar.gz" → "my-meters-2": a model's name made of a file's; "" if nothing is left. */
function modelName(fileName) {
  const stem = fileName.replace(/(\.(zip|tar|tgz|gz|bz2|xz))+$/i, "");
  const name = stem.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/[^a-z0-9._]+/g, "-").replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "").slice(0, 64);
  return ["starter", "starter-small"].includes(name) ? "" : name;
}

/** Step 1: a zip by drop, by choice, from a URL, or sent before. */
function imagesForm(take, signal) {
  const sendFile = (file) => {
    const form = new FormData();
    form.append("file", file);
    take(`Sending ${file.name} (${bytes(file.size)})…`, (options) => upload("/datasets", form, options), file.name);
  };
  const input = h("input", {
    type: "file",
    class: "visually-hidden",
    id: "zip",
    accept: ".zip,.tar,.tgz,.gz,.bz2,.xz,application/zip",
    onchange: () => input.files.length && sendFile(input.files[0]),
  });
  const zone = h(
    "div",
    { class: "dropzone" },
    h("p", { class: "title" }, "Drop a zip of labelled images here"),
    h("p", { class: "faint" }, "Labels are taken from a labels.csv in it (filename,text), from lists of other tools, from texts beside the images, or from the file names."),
    h("span", { class: "file" }, input, h("label", { for: "zip", class: "button primary" }, "Choose a zip…")),
  );
  takeDrops(zone, sendFile, signal);
  return [
    zone,
    h("details", {}, h("summary", {}, "Or get it from a web address"), urlForm(take)),
    earlierUploads(take, signal),
  ];
}

/** The zips that were sent before, once they are asked for; each can be taken again. */
function earlierUploads(take, signal) {
  const list = h("div", { class: "slot" });
  const show = async () => {
    try {
      const data = (await api("/datasets", { signal })).data.filter((one) => one.sha256); // the others change
      replace(list, data.length ? h("ul", { class: "plain" }, data.map(row)) : h("p", { class: "faint" }, "None is stored."));
    } catch (error) {
      if (!signal.aborted) replace(list, errorBox(error));
    }
  };
  const row = (upload) => {
    const what = `${bytes(upload.bytes)}, sent ${ago(upload.created_at)}`;
    const again = () => take("Checking the zip…", ({ signal }) => api(`/datasets/${upload.id}`, { signal }));
    return h("li", {}, h("button", { type: "button", onclick: again }, `Take the zip of ${what}`));
  };
  const opened = (event) => event.target.open && show();
  return h("details", { ontoggle: opened }, h("summary", {}, "Or take images that were sent before"), list);
}

function takeDrops(zone, sendFile, signal) {
  const mark = (over) => zone.classList.toggle("over", over);
  zone.addEventListener("dragover", (event) => (event.preventDefault(), mark(true)));
  zone.addEventListener("dragleave", () => mark(false));
  zone.addEventListener("drop", (event) => {
    mark(false);
    if (event.dataTransfer.files.length) sendFile(event.dataTransfer.files[0]);
  });
  // A file that misses the zone must not replace the page.
  for (const kind of ["dragover", "drop"]) {
    window.addEventListener(kind, (event) => event.preventDefault(), { signal });
  }
}

function urlForm(take) {
  const url = h("input", { type: "url", required: true, placeholder: "https://example.org/images.zip" });
  const get = (event) => {
    event.preventDefault();
    const json = { url: url.value, sha256: null };
    const name = new URL(url.value).pathname.split("/").at(-1);
    take(`Getting ${url.value}…`, ({ signal }) => api("/datasets", { method: "POST", json, signal }), name);
  };
  return h(
    "form",
    { class: "stack", onsubmit: get },
    field("Address of a zip", url),
    h("div", { class: "actions" }, h("button", {}, "Get it")),
  );
}

/** Step 2 and 3: what the check found, where labels come from; the settings and Start. */
function checkedForm(dataset, first, signal, proposedName) {
  const found = h("div", { class: "stack" });
  const settings = h("div", { class: "slot" });
  let latest = 0;
  const check = async (labels) => {
    const turn = ++latest; // the answer to an older question is of no use
    settings.replaceChildren();
    replace(found, h("p", { role: "status" }, "Looking at every image…"), h("progress", { "aria-label": "Checking" }));
    try {
      const asked = { method: "POST", json: { labels }, signal };
      const { summary, samples } = await api(`/datasets/${dataset.id}/check`, asked);
      if (turn !== latest) return;
      replace(found, datasetSummary(summary), h("h3", {}, "Do these labels look right?"), sampleImages(dataset.id, samples, signal));
      replace(settings, settingsForm({ dataset: { id: dataset.id }, labels }, signal, proposedName));
      announce(`The check found ${summary.images} usable images.`);
    } catch (error) {
      if (!signal.aborted && turn === latest) replace(found, errorBox(error));
    }
  };
  check("auto");
  return [
    h(
      "div",
      { class: "page-head" },
      h("h2", { id: "new-title", tabindex: -1 }, "New training"),
      h("button", { type: "button", onclick: () => first(null) }, "Take other images"),
    ),
    labelSource(check),
    found,
    settings,
  ];
}

/** Asks where labels come from, and has the images checked again by the answer. */
function labelSource(check) {
  const pattern = h("input", { spellcheck: "false", required: true, value: "^(.+)[_-][0-9]+$" });
  const patternRow = h(
    "form",
    {
      class: "row",
      hidden: true,
      onsubmit: (event) => (event.preventDefault(), check({ filename: { pattern: pattern.value } })),
    },
    field("Regular expression", pattern, "Its first group is the label; it is searched in the name without its ending."),
    h("button", {}, "Check again"),
  );
  const list = h("input", { spellcheck: "false", required: true, placeholder: "annotations.json" });
  const listRow = h(
    "form",
    {
      class: "row",
      hidden: true,
      onsubmit: (event) => (event.preventDefault(), check({ file: list.value })),
    },
    field("List", list, "Its path in the dataset."),
    h("button", {}, "Check again"),
  );
  const choice = h(
    "select",
    {
      onchange: () => {
        patternRow.hidden = choice.value !== "pattern";
        listRow.hidden = choice.value !== "file";
        if (patternRow.hidden && listRow.hidden) check(choice.value);
      },
    },
    h("option", { value: "auto" }, "found by Readsmith"),
    h("option", { value: "manifest" }, "labels.csv and other lists"),
    h("option", { value: "beside" }, "text files beside the images"),
    h("option", { value: "folder" }, "the names of the folders"),
    h("option", { value: "file" }, "one list, by its name"),
    h("option", { value: "filename" }, "the file names"),
    h("option", { value: "pattern" }, "a part of the file names"),
  );
  return [h("div", { class: "fields" }, field("Labels come from", choice)), patternRow, listRow];
}
