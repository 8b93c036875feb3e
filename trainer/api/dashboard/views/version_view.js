// What the pages of models say of a version in the same words.

import { actionButton } from "../lib/action.js";
import { api, download } from "../lib/api.js";
import { announce, h } from "../lib/dom.js";
import { bytes, count, percent } from "../lib/format.js";

const FILES = [
  ["prediction_model.h5", "Keras model (h5)"],
  ["prediction_model.onnx", "ONNX model"],
];

/** The address of a model's pages or, below /models, of its API. */
export const modelPath = (name, ...rest) => ["/models", encodeURIComponent(name), ...rest].join("/");

/** "85.0 % to 98.8 %, 60 held out", or "…, 60 in 4 folds". */
export function interval({ exact_match_interval: [low, high], test_images: images, folds }) {
  return `${percent(low)} to ${percent(high)}, ${images} ${folds == null ? "held out" : `in ${folds} folds`}`;
}

const WIDE = 0.1;

/** A line where so few images were held out that the figure tells little; else null. */
export function tellsLittle({ exact_match_interval: [low, high], test_images: images }) {
  if (high - low <= WIDE) return null;
  const range = `anywhere from ${percent(low)} to ${percent(high)}`;
  return h("p", { class: "help" }, `${count(images, "image")} tell little: of new images like these, ${range} may be correct.`);
}

/** The figure of images with nothing to read, if the set has some. */
export function unreadable({ unreadable_images: images, unreadable_empty: empty }) {
  return images == null ? [] : [["Nothing to read", `${empty} of ${images}`, "answered with an empty text"]];
}

/** A button that has this version served from now on, then goes on with `done`. */
export function serveButton(name, version, { trouble, done, signal, ...props }) {
  const serve = async () => {
    await api(modelPath(name, "promote"), { method: "POST", json: { version }, signal });
    announce(`Version ${version} of ${name} is served now.`);
    await done();
  };
  return actionButton("Serve this version", serve, { trouble, ...props });
}

/** Buttons that download what a version consists of; sizes: {file: {size}}, where they are known. */
export function downloads(name, version, { trouble, signal, sizes = {} }) {
  const at = (...rest) => modelPath(name, "versions", version, ...rest);
  const button = (text, path, filename) =>
    actionButton(text, () => download(path, filename, signal), { trouble });
  const files = FILES.map(([file, title]) => {
    const size = sizes[file] ? `, ${bytes(sizes[file].size)}` : "";
    return button(title + size, at("files", file), `${name}-${version}-${file}`);
  });
  const report = button("Report (zip)", at("report.zip"), `${name}-${version}-report.zip`);
  return h("div", { class: "actions" }, files, report);
}
