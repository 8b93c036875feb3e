// What is done with a dataset as a whole: more images, a training, taking it along.

import { actionButton } from "../../lib/action.js";
import { api, download } from "../../lib/api.js";
import { announce, errorBox, h, replace } from "../../lib/dom.js";
import { count, percent } from "../../lib/format.js";
import { chosenFiles, droppedFiles, sorted } from "./files.js";
import { sendImages } from "./send.js";

const FORMATS = [
  ["readsmith", "Readsmith, with states"],
  ["paddle", "PaddleOCR"],
  ["gt-txt", "Texts beside the images"],
  ["huggingface", "Hugging Face"],
  ["label-studio", "Label Studio"],
];

/** A button that trains a model of the dataset's name from its labels, once all are saved. */
export function trainButton(desk, { trouble, signal }) {
  const train = async () => {
    await desk.saved();
    const { id, name } = desk.dataset;
    const job = await api("/jobs", { method: "POST", json: { dataset: { id }, model: name }, signal });
    location.hash = `#/jobs/${job.id}`;
  };
  return actionButton("Train", train, { trouble, class: "primary" });
}

/** A menu of the formats in which the images and labels can be taken along. */
export function exportMenu({ id, name }, { trouble, signal }) {
  const one = ([format, title]) => {
    const save = async () => {
      menu.open = false;
      await download(`/datasets/${id}.zip?format=${format}`, `${name}-${format}.zip`, signal);
      announce(`${name} is written as ${title}.`);
    };
    return h("li", {}, actionButton(title, save, { trouble, class: "quiet" }));
  };
  const menu = h(
    "details",
    { class: "menu", onkeydown: (event) => event.key === "Escape" && (menu.open = false) },
    h("summary", { class: "button" }, "Export"),
    h("ul", {}, FORMATS.map(one)),
  );
  const away = (event) => menu.contains(event.target) || (menu.open = false);
  document.addEventListener("click", away, { signal });
  return menu;
}

/** A button for more images; they can be dropped anywhere on the page, too. */
export function addImages(desk, { main, trouble, signal }) {
  const add = async (files) => {
    const { images } = sorted(files);
    if (!images.length) return announce("None of these files is an image.");
    const bar = h("progress", { "aria-label": "Sending images" });
    const line = h("p", {}, `Sending ${count(images.length, "image")}…`);
    replace(trouble, line, bar);
    const onProgress = (share) => {
      bar.value = share;
      line.textContent = `Sending ${count(images.length, "image")}: ${percent(share)}`;
    };
    try {
      const told = await sendImages(desk.dataset.id, images, { onProgress, signal });
      replace(trouble, told.rejected.length > 0 && rejectedFiles(told.rejected));
      announce(addedText(told));
    } catch (error) {
      if (!signal.aborted) replace(trouble, errorBox(error));
    }
  };
  const input = h("input", { type: "file", class: "visually-hidden", id: "more-images", accept: "image/*", multiple: true });
  input.addEventListener("change", () => add(chosenFiles(input)).then(() => (input.value = "")));
  const listen = (kind, action) => window.addEventListener(kind, action, { signal });
  listen("dragover", (event) => (event.preventDefault(), main.classList.add("over")));
  listen("dragleave", (event) => event.relatedTarget === null && main.classList.remove("over"));
  listen("drop", async (event) => {
    event.preventDefault();
    main.classList.remove("over");
    add(await droppedFiles(event.dataTransfer));
  });
  return h("span", { class: "file" }, input, h("label", { for: "more-images", class: "button" }, "Add images…"));
}

/** {added, known, rejected} in words. */
export function addedText({ added, known, rejected }) {
  const parts = [`${count(added, "image")} added`];
  if (known) parts.push(`${known.toLocaleString("en")} known already`);
  if (rejected.length) parts.push(`${rejected.length.toLocaleString("en")} left out`);
  return `${parts.join(", ")}.`;
}

/** A box that names the files that are no images of the dataset, and why. */
export function rejectedFiles(rejected) {
  const one = ({ name, message }) => h("li", {}, h("bdi", {}, name), `: ${message}`);
  return h(
    "details",
    { class: "notice warning" },
    h("summary", {}, `${count(rejected.length, "file")} left out`),
    h("ul", {}, rejected.map(one)),
  );
}
