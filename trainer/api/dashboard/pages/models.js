// All models; or one, with its versions, and what is served of it.

import { actionButton } from "../lib/action.js";
import { api, everyRow } from "../lib/api.js";
import { announce, chip, emptyState, errorBox, field, h, replace, table } from "../lib/dom.js";
import { ago, count, percent } from "../lib/format.js";
import { knownTextsCard } from "../views/known_texts.js";
import { textInput } from "../views/prediction_view.js";
import { downloads, interval, modelPath, serveButton } from "../views/version_view.js";

export function show(main, { name }, signal) {
  return name === undefined ? showAll(main, signal) : showOne(main, name, signal);
}

async function showAll(main, signal) {
  main.append(h("div", { class: "page-head" }, h("h1", {}, "Models")));
  const data = await everyRow("/models", "name", { signal });
  if (!data.length) {
    const link = h("a", { class: "button primary", href: "#/" }, "Train one");
    main.append(emptyState("No models yet", h("p", {}, "A model appears here with its first version."), link));
    return;
  }
  const columns = ["Model", "Served", "Exact match", "Wrong characters", "Versions", "Trained"];
  main.append(h("section", { class: "card" }, table("Models", columns, data.map(modelRow))));
}

function modelRow(model) {
  const served = model.versions.find((one) => one.version === model.current);
  return [
    h("span", { class: "row" }, h("a", { href: `#${modelPath(model.name)}` }, model.name), model.default && star()),
    served ? `version ${served.version}` : "nothing",
    percent(served?.metrics?.exact_match),
    percent(served?.metrics?.cer),
    model.versions.length,
    served?.created_at ? ago(served.created_at) : "–",
  ];
}

/** Marks the model that answers requests that name none. */
function star() {
  return h("span", { role: "img", "aria-label": "default", title: "Answers requests that name no model" }, "★");
}

async function showOne(main, name, signal) {
  const trouble = h("div", { class: "slot" });
  const [head, body] = [h("div", { class: "row" }), h("div", { class: "page-body" })];
  const title = h("h1", {}, name);
  main.append(
    h("p", { class: "crumbs" }, h("a", { href: "#/models" }, "Models"), ` / ${name}`),
    h("div", { class: "page-head" }, title, head),
    trouble,
    body,
  );
  const draw = async () => {
    const model = await api(modelPath(name), { signal });
    const allowed = model.problem ? null : await api(modelPath(name, "allowed"), { signal });
    const parts = { trouble, signal, done: async () => (await draw(), keepFocus(main)) };
    replace(title, name, model.default && [" ", star()]);
    replace(
      head,
      !model.default && defaultButton(name, parts),
      h("a", { class: "button", href: `#/corrections/${encodeURIComponent(name)}` }, "Corrections"),
      h("a", { class: "button primary", href: `#/try/${encodeURIComponent(name)}` }, "Try it"),
    );
    replace(
      body,
      model.problem && errorBox({ message: model.problem }),
      versionsCard(model, parts),
      h("div", { class: "columns" }, model.versions.length > 1 && compareCard(model), patternCard(model, parts), allowed && knownTextsCard(model, allowed, parts)),
    );
  };
  await draw();
}

/** Where what had the focus is gone, it goes to the heading, not back to the page's top. */
function keepFocus(main) {
  if (document.activeElement !== document.body) return;
  main.querySelector("h1").tabIndex = -1;
  main.querySelector("h1").focus();
}

function versionsCard(model, parts) {
  const newest = [...model.versions].reverse();
  const columns = ["Version", "Exact match", "Wrong characters", "Trained", "From", "Do"];
  return h(
    "section",
    { class: "card", "aria-labelledby": "versions" },
    h(
      "div",
      { class: "page-head" },
      h("h2", { id: "versions" }, "Versions"),
      model.previous !== null && rollbackButton(model, parts),
    ),
    table(`Versions of ${model.name}`, columns, newest.map((one) => versionRow(model, one, parts))),
  );
}

function versionRow(model, one, parts) {
  const served = one.version === model.current;
  const link = h("a", { href: `#${modelPath(model.name, one.version)}` }, `Version ${one.version}`);
  const title = h("span", { class: "row" }, link, served && chip("served"));
  if (one.problem) return [title, "–", "–", "–", one.problem, null];
  const { metrics } = one;
  return [
    title,
    metrics ? h("span", {}, percent(metrics.exact_match), h("small", { class: "why" }, interval(metrics))) : "not measured",
    percent(metrics?.cer),
    ago(one.created_at),
    h("span", { class: "clipped", title: one.dataset }, one.dataset),
    h(
      "div",
      { class: "stack tight" },
      !served && serveButton(model.name, one.version, { ...parts, "aria-label": `Serve version ${one.version}` }),
      h(
        "details",
        {},
        h("summary", { "aria-label": `Download version ${one.version}` }, "Download"),
        downloads(model.name, one.version, parts),
      ),
    ),
  ];
}

function defaultButton(name, { trouble, signal, done }) {
  const choose = async () => {
    await api(modelPath(name, "default"), { method: "POST", signal });
    announce(`${name} answers requests that name no model.`);
    await done();
  };
  return actionButton("Make it the default", choose, { trouble });
}

function rollbackButton(model, { trouble, signal, done }) {
  const rollback = async () => {
    const now = await api(modelPath(model.name, "rollback"), { method: "POST", signal });
    announce(`Version ${now.current} of ${model.name} is served again.`);
    await done();
  };
  return actionButton(`Back to version ${model.previous}`, rollback, { trouble });
}

function compareCard(model) {
  const numbers = model.versions.map((one) => one.version);
  const choice = (chosen) =>
    h("select", {}, numbers.map((n) => h("option", { value: n, selected: n === chosen }, `Version ${n}`)));
  const newest = numbers.at(-1);
  const [a, b] = [choice(model.current === newest ? numbers.at(-2) : (model.current ?? numbers[0])), choice(newest)];
  const compare = (event) => {
    event.preventDefault();
    location.hash = `#${modelPath(model.name, "compare", a.value, b.value)}`;
  };
  return h(
    "section",
    { class: "card", "aria-labelledby": "compare" },
    h("h2", { id: "compare" }, "Compare two versions"),
    h("p", { class: "help" }, `Both read the held-out images of either; ${count(numbers.length, "version")} are retained.`),
    h(
      "form",
      { class: "stack", onsubmit: compare },
      h("div", { class: "fields" }, field("One version", a), field("The other", b)),
      h("div", { class: "actions" }, h("button", {}, "Compare")),
    ),
  );
}

function patternCard(model, { trouble, signal, done }) {
  const proposed = model.versions.at(-1)?.proposed_pattern;
  const input = textInput({ value: model.pattern ?? "", dir: "ltr", required: false, placeholder: "anything" });
  const set = async (pattern) => {
    await api(modelPath(model.name, "pattern"), { method: "POST", json: { pattern }, signal });
    announce(pattern === null ? "Predictions may be anything." : `Predictions must fit ${pattern}.`);
    await done();
  };
  const save = actionButton("Save", () => set(input.value || null), { trouble });
  const propose = proposed && proposed !== model.pattern;
  return h(
    "section",
    { class: "card", "aria-labelledby": "pattern" },
    h("h2", { id: "pattern" }, "Pattern"),
    field("What predictions must fit", input, "Like [A-Z]{2}[0-9]{4}; empty for anything. A request may ask for another."),
    h("div", { class: "actions" }, save, propose && actionButton(`Take ${proposed}`, () => set(proposed), { trouble })),
    propose && h("p", { class: "help" }, `All labels of version ${model.versions.at(-1).version} fit `, h("code", {}, proposed), "."),
  );
}
