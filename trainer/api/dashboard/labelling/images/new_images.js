// Where images begin: dropped or chosen, labelled, partly labelled or not at all.

import { api } from "../../lib/api.js";
import { errorBox, field, h, replace } from "../../lib/dom.js";
import { count, percent } from "../../lib/format.js";
import { sampleImages } from "../../views/dataset_view.js";
import { addedText, rejectedFiles } from "./dataset_actions.js";
import { chosenFiles, droppedFiles, nameFor, sorted } from "./files.js";
import { sendImages, sendLabelled } from "./send.js";

const NAMES_SHOWN = 8;

/** A card that takes them, makes a dataset and leads to it. known(): the datasets that are here. */
export function newImages(known, signal) {
  const place = h("div", { class: "stack" });
  const name = nameInput();
  const first = (...notes) => replace(place, ...notes, zone(take, name, signal));
  const take = async (files) => {
    if (!name.reportValidity()) return;
    const leave = new AbortController();
    signal.addEventListener("abort", () => leave.abort());
    const options = { ...progress(place, files.length, leave), ask: (upload, samples) => namesAreTexts(place, upload, samples, signal) };
    try {
      const { dataset, told } = await send(files, name.value || nameFor(files), known(), options);
      if (!told?.rejected.length) return void (location.hash = `#/label/${dataset.id}`);
      first(told.added !== undefined && h("p", {}, addedText(told)), rejectedFiles(told.rejected), begin(dataset));
    } catch (error) {
      if (!signal.aborted) first(error.name !== "AbortError" && errorBox(error));
    }
  };
  first();
  return h("section", { class: "card", "aria-labelledby": "new-images" }, h("h2", { id: "new-images" }, "New images"), place);
}

function nameInput() {
  return h("input", {
    placeholder: "as the folder or the archive",
    spellcheck: "false",
    autocapitalize: "none",
    maxlength: 64,
    pattern: "[a-z0-9][a-z0-9._\\-]*",
    title: "Small letters, digits, dots, dashes and underscores; a letter or digit first.",
  });
}

/** Show how far the sending is, with a button that ends it. */
function progress(place, files, leave) {
  const [line, bar] = [h("p", { role: "status" }), h("progress", { "aria-label": "Sending" })];
  const stop = h("button", { type: "button", onclick: () => leave.abort() }, "Cancel");
  replace(place, line, bar, h("div", { class: "actions" }, stop));
  stop.focus();
  const onProgress = (share) => {
    bar.value = share;
    line.textContent = share < 1 ? `Sending ${count(files, "file")}: ${percent(share)}` : "Looking at every image…";
  };
  onProgress(0);
  return { onProgress, signal: leave.signal };
}

/** Ask whether the file names say what the images do; resolves to true or false. */
function namesAreTexts(place, uploadId, samples, signal) {
  return new Promise((resolve) => {
    const button = (text, answer) => h("button", { type: "button", onclick: () => resolve(answer) }, text);
    const yes = button("Yes, they are the labels", true);
    replace(
      place,
      h("h3", {}, "Do the file names say what the images do?"),
      sampleImages(uploadId, samples.slice(0, NAMES_SHOWN), signal),
      h("div", { class: "actions" }, yes, button("No, begin without labels", false)),
    );
    yes.focus();
  });
}

const begin = ({ id, name }) => h("div", { class: "actions" }, h("a", { class: "button primary", href: `#/label/${id}` }, `Label ${name}`));

/** Images alone join the dataset of this name, if there is one; what has labels becomes a new one. */
async function send(files, name, known, options) {
  const { images, lists, archives } = sorted(files);
  const labelled = archives.length ? archives.slice(0, 1) : [...images, ...lists];
  if (!labelled.some((one) => !lists.includes(one))) throw noImages();
  if (archives.length || lists.length) {
    const dataset = await sendLabelled(name, labelled, options);
    return { dataset, told: dataset };
  }
  const { signal } = options;
  const same = known.find((one) => one.name === name);
  const dataset = same ?? (await api("/datasets", { method: "POST", json: { name }, signal }));
  return { dataset, told: await sendImages(dataset.id, images, options) };
}

function noImages() {
  return Object.assign(new Error("There is no image among these files."), {
    hint: "PNG, JPEG, GIF, BMP, WebP, TIFF and the like are; or a zip or tar of them.",
  });
}

function zone(take, name, signal) {
  const input = (id, props, text, kind) => {
    const chooser = h("input", { type: "file", class: "visually-hidden", id, multiple: true, ...props });
    chooser.addEventListener("change", () => chooser.files.length && take(chosenFiles(chooser)));
    return h("span", { class: "file" }, chooser, h("label", { for: id, class: `button ${kind}` }, text));
  };
  const drop = h(
    "div",
    { class: "dropzone" },
    h("p", { class: "title" }, "Drop a folder, images or an archive here"),
    h("p", { class: "faint" }, "Without labels, with some, or with all: those that come along are taken over."),
    h(
      "div",
      { class: "row" },
      input("images", { accept: "image/*,.zip,.tar,.tgz,.gz,.bz2,.xz,.parquet" }, "Choose images…", "primary"),
      input("folder", { webkitdirectory: true }, "Choose a folder…", ""),
    ),
  );
  const listen = (kind, action) => window.addEventListener(kind, action, { signal });
  listen("dragover", (event) => (event.preventDefault(), drop.classList.add("over")));
  listen("dragleave", () => drop.classList.remove("over"));
  listen("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const files = drop.isConnected ? await droppedFiles(event.dataTransfer) : [];
    if (files.length) take(files);
  });
  return [drop, h("div", { class: "fields" }, field("Name", name, "Of the images, and of the model that learns from them."))];
}
