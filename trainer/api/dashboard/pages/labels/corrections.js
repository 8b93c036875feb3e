// The corrections of a model, and predictions that wait for review.

import { actionButton, attempt } from "../../lib/action.js";
import { api, download, everyRow, imageView } from "../../lib/api.js";
import { announce, emptyState, h, replace, table } from "../../lib/dom.js";
import { ago, count, percent } from "../../lib/format.js";
import { textInput } from "../../views/prediction_view.js";
import { modelPath } from "../../views/version_view.js";
import { reviewCard } from "./review.js";

const PAGE = 48;

export function show(main, { name }, signal) {
  return name === undefined ? showModels(main, signal) : showOne(main, name, signal);
}

async function showModels(main, signal) {
  main.append(
    h("p", { class: "crumbs" }, h("a", { href: "#/label" }, "Labels"), " / Corrections"),
    h("div", { class: "page-head" }, h("h1", {}, "Corrections")),
  );
  main.append(await correctionsCard(signal));
}

/** A card with the corrections of each model, and the way to those that wait for review. */
export async function correctionsCard(signal) {
  const data = await everyRow("/models", "name", { signal });
  const names = new Set([...data.map((model) => model.name), "default"]);
  const row = async (name) => {
    const { count: corrections } = await api(`${modelPath(name, "corrections")}?limit=1`, { signal });
    return [h("a", { href: `#/corrections/${encodeURIComponent(name)}` }, name), corrections.toLocaleString("en")];
  };
  const rows = await Promise.all([...names].sort().map(row));
  return h(
    "section",
    { class: "card", "aria-labelledby": "corrections" },
    h("h2", { id: "corrections" }, "Corrections and review"),
    h("p", { class: "help" }, "Right texts that people have given for images of a model, and what it was unsure of lately."),
    table("Corrections of each model", ["Model", "Corrections"], rows),
  );
}

async function showOne(main, name, signal) {
  const trouble = h("div", { class: "slot" });
  const [head, list] = [h("div", { class: "row" }), h("div", { class: "stack" })];
  main.append(
    h("p", { class: "crumbs" }, h("a", { href: "#/label" }, "Labels"), " / ", h("a", { href: "#/corrections" }, "Corrections"), ` / ${name}`),
    h("div", { class: "page-head" }, h("h1", {}, `Corrections of ${name}`), head),
    trouble,
    h("section", { class: "card", "aria-labelledby": "stored" }, h("h2", { id: "stored" }, "Stored"), list),
  );
  const draw = async () => {
    const page = await api(`${modelPath(name, "corrections")}?limit=${PAGE}`, { signal });
    replace(head, page.count > 0 && exportButton(name, { trouble, signal }));
    replace(list, page.count ? correctionList(name, page, { trouble, signal, draw }) : noCorrections());
  };
  await draw();
  main.append(await reviewCard(name, draw, signal));
}

function exportButton(name, { trouble, signal }) {
  const save = () => download(modelPath(name, "corrections.zip"), `${name}-corrections.zip`, signal);
  return actionButton("Export as zip", save, { trouble });
}

function noCorrections() {
  const link = h("a", { class: "button primary", href: "#/try" }, "Try it");
  return emptyState("No corrections yet", h("p", {}, "Corrected predictions are stored here."), link);
}

function correctionList(name, page, parts) {
  const list = h("ul", { class: "labels" });
  const more = h("div", { class: "actions" });
  const add = (next) => {
    list.append(...next.data.map((one) => correctionRow(name, one, parts)));
    const after = `${modelPath(name, "corrections")}?limit=${PAGE}&after=${next.data.at(-1)?.id}`;
    const showMore = async () => add(await api(after, { signal: parts.signal }));
    replace(more, next.has_more && actionButton("Show older ones", showMore, { trouble: parts.trouble }));
  };
  add(page);
  const help = `${count(page.count, "correction")}. A new training of ${name} adds them by one tick, below the name of the model.`;
  return [h("p", { class: "help" }, help), list, more];
}

function correctionRow(name, one, parts) {
  const at = modelPath(name, "corrections", one.id);
  const input = textInput({ value: one.text, "aria-label": `Text of the image read as ${one.read ?? "unknown"}` });
  const change = async () => {
    const { text } = await api(at, { method: "PATCH", json: { text: input.value }, signal: parts.signal });
    input.value = text;
    announce(`Changed: it says ${text}.`);
  };
  const remove = async () => {
    await api(at, { method: "DELETE", signal: parts.signal });
    announce("The correction is deleted.");
    await parts.draw();
  };
  const save = h("button", {}, "Save");
  const { trouble } = parts;
  const drop = actionButton("Delete", remove, { trouble, class: "danger", "aria-label": `Delete ${one.text}` });
  const submit = (event) => (event.preventDefault(), attempt(change, { trouble, button: save }));
  return h(
    "li",
    {},
    imageView(one.image, `Image that says ${one.text}`, parts.signal),
    h(
      "form",
      { class: "stack", onsubmit: submit },
      input,
      h("small", {}, wasRead(one)),
      h("div", { class: "actions" }, save, drop),
    ),
  );
}

function wasRead({ read, confidence, version, created_at: at }) {
  const sure = confidence === null ? "" : ` (${percent(confidence)})`;
  const by = version === null ? "" : ` by version ${version}`;
  return read === null ? ago(at) : ["read as ", h("bdi", {}, read || "nothing"), `${sure}${by}, ${ago(at)}`];
}
