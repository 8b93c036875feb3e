// What was read in an image, and how a wrong prediction is corrected.

import { apiKey, ask } from "./api.js";
import { announce, errorBox, h } from "./dom.js";

const UNSURE = 0.5;
const NEGLIGIBLE = 0.0005; // would be shown as 0.0 %

/** The parts of an image's card. times: milliseconds as Server-Timing tells them. */
export function result(file, prediction, times) {
  return [
    h("h2", {}, file.name),
    h(
      "div",
      { class: "result" },
      h("div", { class: "stack" }, imageOf(file), prediction.input ? seen(prediction.input) : ""),
      h("div", { class: "stack" }, text(prediction), alternatives(prediction), origin(prediction, times)),
    ),
    correction(file, prediction),
    h(
      "details",
      {},
      h("summary", {}, "The same from a command line"),
      h("pre", { tabindex: "0" }, curl(file.name, prediction.model)),
    ),
  ];
}

function text({ text, confidence, characters, reason }) {
  if (text === null) return h("p", { class: "notice" }, reason.message);
  if (text === "") return h("p", { class: "notice" }, `No text was found (${percent(confidence)} sure).`);
  return [
    h("p", { class: "prediction", dir: "auto" }, text),
    h("p", { class: "help" }, `${percent(confidence)} sure of the whole text`),
    h("ol", { class: "characters", dir: "auto", "aria-label": "Confidence of each character" }, characters.map(character)),
  ];
}

function character({ text, confidence }) {
  const bar = h("span", { class: confidence < UNSURE ? "bar unsure" : "bar", "--share": confidence, "aria-hidden": "true" });
  return h("li", {}, h("b", {}, text), bar, h("small", {}, percent(confidence)));
}

function alternatives({ alternatives, text }) {
  const others = alternatives.filter((one) => one.text !== text && one.confidence >= NEGLIGIBLE);
  if (!others.length) return null;
  const item = (one) => h("li", {}, h("code", { dir: "auto" }, one.text || "nothing"), " ", h("small", {}, percent(one.confidence)));
  return [h("h3", {}, "It might also be"), h("ul", { class: "plain" }, others.map(item))];
}

function origin({ model, version, note }, times) {
  const took = `${model}, version ${version}: ${times.total.toFixed(1)} ms, of them ${times.model.toFixed(1)} ms in the model`;
  return [h("p", { class: "help" }, took), note ? h("p", { class: "notice" }, note) : null];
}

function imageOf(file) {
  const image = h("img", { class: "image", alt: `The image ${file.name}`, src: URL.createObjectURL(file) });
  image.onload = () => URL.revokeObjectURL(image.src);
  image.onerror = () => image.replaceWith(h("span", { class: "help" }, "This browser cannot show the image."));
  return image;
}

function seen({ png, width, height }) {
  return h(
    "figure",
    {},
    h("img", { class: "image pixels", alt: "What the model saw", src: `data:image/png;base64,${png}` }),
    h("figcaption", { class: "help" }, `What the model saw: ${width} × ${height} pixels`),
  );
}

function correction(file, prediction) {
  const id = `right-${prediction.request_id}`;
  const input = h("input", { id, value: prediction.text ?? "", required: true, dir: "auto", spellcheck: "false", autocapitalize: "none" });
  const button = h("button", { class: "primary" }, "Send");
  const outcome = h("div", {});
  const send = async (event) => {
    event.preventDefault();
    button.disabled = true;
    const body = new FormData();
    body.append("image", file);
    body.append("text", input.value);
    body.append("model", prediction.model);
    try {
      const { status, text } = (await ask("feedback", { method: "POST", body })).body;
      const where = status === "queued" ? "It waits here until the trainer is back." : "The trainer has it.";
      announce(`Stored: it says ${text}. ${where}`);
      outcome.replaceChildren(h("p", { class: "notice" }, `Stored: it says ${text}. ${where}`));
    } catch (error) {
      outcome.replaceChildren(errorBox(error));
    }
    button.disabled = false;
  };
  const field = h("div", { class: "field" }, h("label", { for: id }, "What it says"), input);
  return h(
    "details",
    {},
    h("summary", {}, "Not right? Correct it"),
    h("form", { class: "stack", onsubmit: send }, field, h("div", { class: "row" }, button), outcome),
  );
}

function curl(name, model) {
  const key = apiKey() ? ' -H "Authorization: Bearer $READSMITH_API_KEY"' : "";
  const file = `'image=@"${name.replaceAll("'", "'\\''")}"'`;
  return `curl${key} -F ${file} '${new URL(`predict?${new URLSearchParams({ model })}`, document.baseURI)}'`;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}
