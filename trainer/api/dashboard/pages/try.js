// Images that are read at once: dropped, pasted, chosen, or taken with the camera.

import { address, api, apiKey, respond } from "../lib/api.js";
import { camera } from "../lib/camera.js";
import { announce, errorBox, field, h, replace } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { alternativesView, correctionForm, predictionView } from "../views/prediction_view.js";
import { predictionsFile } from "../views/predictions_file.js";

const ALTERNATIVES = 5;

export async function show(main, { model: wanted }, signal) {
  const model = h("select", { disabled: true }, h("option", { value: "" }, "…"));
  const results = h("div", { class: "page-body" });
  const table = predictionsFile();
  const trouble = h("div", { class: "slot" });
  let turn = Promise.resolve(); // one after the other, in the order in which they came
  const take = (file) => {
    const waiting = [h("p", {}, `Predicting the text of ${file.name}…`), h("progress", { "aria-label": "Predicting" })];
    const card = h("section", { class: "card", "aria-label": file.name }, waiting);
    results.prepend(card);
    turn = turn.then(async () => {
      const prediction = signal.aborted ? null : await read(card, file, model.value, signal);
      if (prediction) table.add(file.name, prediction);
    });
  };
  main.append(
    h("div", { class: "page-head" }, h("h1", {}, "Try it")),
    trouble,
    h(
      "section",
      { class: "card", "aria-label": "Images" },
      h("div", { class: "fields" }, field("Model", model)),
      imageZone(take, signal),
      table.button,
    ),
    results,
  );
  try {
    fillModels(model, await api("/try/models", { signal }), wanted);
  } catch (error) {
    if (!signal.aborted) replace(trouble, errorBox(error));
  }
}

function fillModels(select, { data: models, default: usual }, wanted) {
  const title = (one) => `${one.model}, version ${one.version}`;
  replace(select, models.map((one) => h("option", { value: one.model }, title(one))));
  select.disabled = models.length < 2;
  const own = models.filter((one) => one.model !== "starter");
  const isServed = models.some((one) => one.model === wanted);
  select.value = (isServed && wanted) || (usual ?? (own[0] ?? models[0])?.model ?? "");
}

function imageZone(take, signal) {
  const takeAll = (files) => {
    const images = [...files].filter((file) => file.type.startsWith("image/"));
    images.forEach(take);
    const others = files.length - images.length;
    if (others) announce(`${count(others, "file")} passed over: no image.`);
  };
  const input = h("input", { type: "file", class: "visually-hidden", id: "images", accept: "image/*", multiple: true });
  input.addEventListener("change", () => (takeAll(input.files), (input.value = "")));
  const lens = camera(take, signal);
  const zone = h(
    "div",
    { class: "dropzone" },
    h("p", { class: "title" }, "Drop images here, or paste one"),
    h(
      "div",
      { class: "row" },
      h("span", { class: "file" }, input, h("label", { for: "images", class: "button primary" }, "Choose images…")),
      lens.button,
    ),
    lens.place,
  );
  const listen = (kind, action) => window.addEventListener(kind, action, { signal });
  listen("paste", (event) => event.clipboardData.files.length && takeAll(event.clipboardData.files));
  listen("dragover", (event) => (event.preventDefault(), zone.classList.add("over")));
  listen("dragleave", () => zone.classList.remove("over"));
  listen("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    takeAll(event.dataTransfer.files);
  });
  return zone;
}

/** Have an image read, and fill its card with what was found; null if it was not read. */
async function read(card, file, model, signal) {
  const path = `/try?${new URLSearchParams({ ...(model && { model }), top_k: ALTERNATIVES, show_input: true })}`;
  try {
    const began = performance.now();
    const headers = { "Content-Type": file.type };
    const response = await respond(path, { method: "POST", body: file, headers, signal });
    const prediction = await response.json();
    const took = { all: performance.now() - began, inside: serverTime(response) };
    replace(card, result(file, prediction, took, signal));
    announce(`${file.name} says ${prediction.text || "nothing"}.`);
    return prediction;
  } catch (error) {
    if (!signal.aborted) replace(card, h("h2", {}, file.name), errorBox(error));
    return null;
  }
}

/** Milliseconds in the predictor, or null where it does not say. */
function serverTime(response) {
  const total = response.headers.get("Server-Timing")?.match(/\btotal;dur=([\d.]+)/);
  return total ? Number(total[1]) : null;
}

function result(file, prediction, took, signal) {
  const inside = took.inside === null ? "" : `${took.inside.toFixed(1)} ms in the predictor, `;
  const all = `${took.all.toFixed(0)} ms with the way there and back`;
  return [
    h("h2", {}, file.name),
    h("div", { class: "result" }, [
      h("div", { class: "stack" }, localImage(file, `The image ${file.name}`), prediction.input && seen(prediction.input)),
      h(
        "div",
        { class: "stack" },
        predictionView(prediction),
        alternativesView(prediction.alternatives ?? [], prediction.text),
        h("p", { class: "help" }, `${prediction.model}, version ${prediction.version}; ${inside}${all}.`),
        prediction.note && h("p", { class: "notice" }, prediction.note),
      ),
    ]),
    correctionForm(file, prediction, signal),
    h("details", {}, h("summary", {}, "The same from a command line"), h("pre", { tabindex: 0 }, curl(file.name, prediction.model))),
  ];
}

function localImage(file, alt) {
  const image = h("img", { class: "image", alt, src: URL.createObjectURL(file) });
  image.onload = () => URL.revokeObjectURL(image.src);
  image.onerror = () => image.replaceWith(h("span", { class: "missing" }, "this browser cannot show it"));
  return image;
}

function seen({ png, width, height }) {
  const source = `data:image/png;base64,${png}`;
  return h(
    "figure",
    { class: "stack tight" },
    h("img", { class: "image pixels", alt: "What the model saw", src: source }),
    h("figcaption", { class: "help" }, `What the model saw: ${width} × ${height} pixels`),
  );
}

function curl(name, model) {
  const key = apiKey() ? ` -H "Authorization: Bearer $READSMITH_API_KEY"` : "";
  const quoted = `'image=@${name.replaceAll("'", `'\\''`)}'`;
  return `curl${key} -F ${quoted} '${address(`/try?model=${encodeURIComponent(model)}`)}'`;
}
