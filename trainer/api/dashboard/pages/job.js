// One job, followed while it runs.

import { actionButton } from "../lib/action.js";
import { api, poll } from "../lib/api.js";
import { datasetSummary } from "../views/dataset_view.js";
import { announce, card, chip, errorBox, h, replace } from "../lib/dom.js";
import { moment } from "../lib/format.js";
import { drawCurves } from "../views/job_curves.js";
import { outcome } from "../views/job_outcome.js";
import { STAGES, isFinal, progressBar, progressText } from "../views/job_progress.js";
import { trialNews, trialsCard } from "../views/job_trials.js";

const SECONDS = 1;
const EVENTS = 1000;
const SAID = {
  queued: "waits again",
  running: "runs",
  succeeded: "has succeeded",
  failed: "has failed",
  cancelled: "was cancelled",
};
const SHOWN_ELSEWHERE = ["progress", "settings"];

export async function show(main, { id }, signal) {
  const parts = layout(main, id);
  const events = [];
  let before = null;
  const follow = async () => {
    const job = await api(`/jobs/${id}`, { signal });
    const isNew = await readEvents(id, events, signal);
    parts.trouble.replaceChildren();
    if (job.status === "queued") await lookForWorkers(parts.workers, signal);
    tell(before, job);
    if (isNew || JSON.stringify(job) !== JSON.stringify(before)) draw(parts, job, events, signal);
    else if (job.status === "running") replace(parts.time, progressText(job, events));
    before = job;
    return !isFinal(job);
  };
  if (await follow()) {
    await poll(follow, SECONDS, signal, (error) => replace(parts.trouble, errorBox(error)));
  }
}

function layout(main, id) {
  const names = ["workers", "problem", "state", "trouble", "outcome", "trials", "curves", "settings", "dataset", "events"];
  const parts = Object.fromEntries(names.map((name) => [name, h("div", { class: "slot" })]));
  parts.title = h("h1", {}, `Job ${id.slice(4, 12)}`);
  parts.time = h("p", { class: "faint" });
  parts.events = h("ol", { class: "events" });
  parts.head = h("span", { class: "row" });
  parts.below = h("div", { class: "columns", hidden: true }, [
    card("What happened", parts.events),
    card("Settings", parts.settings),
  ]);
  main.append(
    h("p", { class: "crumbs" }, h("a", { href: "#/" }, "Jobs"), ` / ${id}`),
    h("div", { class: "page-head" }, parts.title, parts.head),
    parts.trouble,
    parts.problem,
    parts.state,
    parts.outcome,
    parts.trials,
    parts.curves,
    parts.below,
    parts.dataset,
  );
  return parts;
}

/** Add what has happened since; true if there was something. */
async function readEvents(id, events, signal) {
  const known = events.length;
  let page;
  do {
    const after = events.at(-1)?.id ?? 0;
    page = await api(`/jobs/${id}/events?limit=${EVENTS}&after=${after}`, { signal });
    events.push(...page.data);
  } while (page.has_more);
  return events.length > known;
}

/** Say aloud what has changed; not what was so when the page was opened. */
function tell(before, job) {
  if (!before) return;
  if (job.status !== before.status) announce(`The job ${SAID[job.status]}.`);
  else if (job.stage && job.stage !== before.stage) announce(`${STAGES[job.stage]}…`);
  else if (trialNews(before, job)) announce(trialNews(before, job));
}

function draw(parts, job, events, signal) {
  parts.title.textContent = `Training ${job.model}`;
  const mayFinish = job.status === "running" && job.stage === "train" && !job.finish_requested;
  replace(
    parts.head,
    chip(job.status),
    mayFinish && finishButton(job, parts.problem, signal),
    !isFinal(job) && cancelButton(job, parts.problem, signal),
  );
  replace(parts.state, !isFinal(job) && stateCard(parts, job, events));
  replace(parts.outcome, isFinal(job) && outcome(job, parts.problem, signal));
  replace(parts.trials, job.trials && trialsCard(job));
  if (job.trials && isFinal(job)) parts.curves.replaceChildren(); // they would be the last trial's
  else drawCurves(parts.curves, events);
  parts.below.hidden = false;
  replace(parts.settings, settings(job, events));
  replace(parts.events, events.filter((one) => !SHOWN_ELSEWHERE.includes(one.type)).reverse().map(eventLine));
  if (job.dataset && !parts.dataset.firstChild) {
    parts.dataset.append(card("The images", datasetSummary(job.dataset)));
  }
}

function finishButton(job, trouble, signal) {
  const finish = async () => {
    await api(`/jobs/${job.id}/finish`, { method: "POST", signal });
    announce("The job is asked to finish.");
  };
  const title = "End the training soon and publish the best model so far";
  return actionButton("Finish now", finish, { trouble, title });
}

function cancelButton(job, trouble, signal) {
  const cancel = async () => {
    await api(`/jobs/${job.id}/cancel`, { method: "POST", signal });
    announce("The job is asked to stop.");
  };
  return actionButton("Cancel", cancel, { trouble, class: "danger" });
}

function stateCard(parts, job, events) {
  if (job.status === "queued") return waitingCard(parts, job);
  const stages = Object.keys(STAGES);
  const now = stages.indexOf(job.stage);
  const one = (stage, i) =>
    h("li", { class: i < now && "done", "aria-current": i === now && "step" }, STAGES[stage]);
  replace(parts.time, progressText(job, events));
  return h(
    "section",
    { class: "card", "aria-label": "Progress" },
    h("ol", { class: "stages" }, stages.map(one)),
    progressBar(job),
    parts.time,
  );
}

function waitingCard(parts, job) {
  return card("Waiting", h("p", {}, "It begins as soon as a worker is free."), progressBar(job), parts.workers);
}

/** Say that nobody works, if the trainer has seen no worker for a while, or what keeps them. */
async function lookForWorkers(place, signal) {
  const ready = await api("/readyz", { signal }).catch(() => null);
  const problems = ready?.worker_problems ?? [];
  if (problems.length) return replace(place, h("div", { class: "notice warning" }, problems.map((problem) => h("p", {}, problem))));
  if (ready?.workers !== 0) return place.replaceChildren();
  const how = ["Start one: ", h("code", {}, "python -m trainer.workers.worker"), "; ", h("code", {}, "readsmith up"), " starts its own."];
  replace(place, h("div", { class: "notice warning" }, h("p", {}, "No worker is running, so jobs wait."), h("p", {}, how)));
}

function eventLine(event) {
  const clock = new Date(event.at).toLocaleTimeString("en-GB");
  return h(
    "li",
    { class: event.type === "warning" && "warning" },
    h("time", { datetime: event.at, title: moment(event.at) }, clock),
    h("span", {}, event.type === "stage" ? STAGES[event.data.stage] : event.message),
  );
}

function settings(job, events) {
  const chosen = events.findLast((one) => one.type === "settings")?.data ?? {};
  const { reasons = {} } = job.dataset ?? {};
  const rows = [
    ["preset", job.preset, ""],
    ...Object.entries(chosen).map(([name, { value, reason }]) => [name, value, reason]),
    // "48: the text has 32 rows": what was chosen, and why.
    ...Object.entries(reasons).map(([name, choice]) => [name, ...choice.split(/: (.*)/s)]),
    ["seed", job.request.seed, ""],
    ["base", job.request.base, ""],
  ];
  return h(
    "dl",
    { class: "facts" },
    rows.map(([name, value, why]) => [
      h("dt", {}, name.replace("_", " ")),
      h("dd", {}, String(value), why && h("small", { class: "why" }, why)),
    ]),
  );
}
