// The trials of a job that searches.

import { card, chip, h, table } from "../lib/dom.js";
import { duration, percent } from "../lib/format.js";

const STATES = { running: "running", finished: "succeeded", stopped: "cancelled", failed: "failed" };
const COLUMNS = ["Trial", "Settings", "Status", "Exact match", "Wrong characters", "Epochs", "Time"];

/** A card with a row for each trial, in the order in which they began. */
export function trialsCard(job) {
  const { trials, max_minutes } = job.request.search;
  const best = bestOf(job.trials);
  const rows = job.trials.map((trial) => [
    String(trial.number),
    h("span", {}, settings(trial.parameters), trial.error && h("small", { class: "why" }, trial.error)),
    h("span", { class: "row" }, chip(STATES[trial.status], trial.status), trial === best && h("strong", {}, "best")),
    percent(trial.exact_match),
    percent(trial.cer),
    String(trial.epochs),
    duration(trial.seconds),
  ]);
  const limit = max_minutes ? ` and ${max_minutes} minutes` : "";
  return card(
    "Trials",
    h("p", { class: "faint" }, `At most ${trials} trials${limit}; the best on the validation part is published.`),
    rows.length > 0 && table("Trials of the search", COLUMNS, rows),
  );
}

/** Say how trials have ended since: "Trial 3 is finished: 97.1 % correct."; null if none has. */
export function trialNews(before, job) {
  const ran = new Set((before.trials ?? []).filter((one) => one.status !== "running").map((one) => one.number));
  const ended = (job.trials ?? []).findLast((one) => one.status !== "running" && !ran.has(one.number));
  if (!ended) return null;
  return `Trial ${ended.number} ${ended.status === "failed" ? "has failed" : `is ${ended.status}: ${percent(ended.exact_match)} correct`}.`;
}

/** The finished trial that has the best validation score, as the trainer chooses it. */
function bestOf(trials) {
  const finished = trials.filter((one) => one.status === "finished");
  const better = (a, b) => b.exact_match - a.exact_match || a.cer - b.cer || a.loss - b.loss || a.number - b.number;
  return finished.sort(better)[0];
}

function settings(parameters) {
  const value = (one) => (typeof one === "number" && !Number.isInteger(one) ? Number(one.toPrecision(3)) : one);
  return Object.entries(parameters)
    .map(([name, one]) => `${name.replace("_", " ")} ${value(one)}`)
    .join(", ");
}
