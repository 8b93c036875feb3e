// The list of jobs, and the form for a new one.

import { actionButton } from "../lib/action.js";
import { api, poll } from "../lib/api.js";
import { chip, emptyState, errorBox, h, replace, table } from "../lib/dom.js";
import { ago, moment, percent } from "../lib/format.js";
import { progressBar, progressText } from "../views/job_progress.js";
import { newJobForm } from "./new_job.js";

const SECONDS = 2;
const [FIRST, MOST] = [20, 100]; // the API tells of at most 100 at a time; older ones stand still

export async function show(main, params, signal) {
  const list = h("div", {}, h("p", { class: "faint" }, "Looking for jobs…"));
  const trouble = h("div", { class: "slot" });
  main.append(
    h("div", { class: "page-head" }, h("h1", {}, "Jobs")),
    newJobForm(signal),
    h("section", { class: "card", "aria-labelledby": "jobs-title" }, h("h2", { id: "jobs-title" }, "All jobs"), trouble, list),
  );
  await poll(newestJobs(list, trouble, signal), SECONDS, signal, (error) => replace(trouble, errorBox(error)));
}

/** Return what shows the newest jobs, and below them the older ones that were asked for. */
function newestJobs(list, trouble, signal) {
  const known = new Map();
  let more = false;
  let shown = "";
  const take = (page) => page.data.forEach((job) => known.set(job.id, job));
  const draw = () => {
    const jobs = [...known.values()].sort((a, b) => b.created_at.localeCompare(a.created_at));
    const showOlder = async () => {
      const page = await api(`/jobs?after=${jobs.at(-1).id}`, { signal });
      more = page.has_more;
      take(page);
      draw();
    };
    const older = more && actionButton("Show older jobs", showOlder, { trouble });
    keepFocus(list, () => replace(list, jobs.length ? jobTable(jobs) : noJobs(), older));
  };
  return async () => {
    const page = await api(`/jobs?limit=${Math.min(MOST, Math.max(FIRST, known.size))}`, { signal });
    trouble.replaceChildren();
    if (JSON.stringify(page) === shown) return;
    shown = JSON.stringify(page);
    if (page.data.length >= known.size) more = page.has_more;
    take(page);
    draw();
  };
}

function noJobs() {
  return emptyState(
    "No jobs yet",
    h("p", {}, "Drop a zip of labelled images above: you see what is in it before anything starts."),
  );
}

function jobTable(jobs) {
  const rows = jobs.map((job) => [
    h("span", {}, h("a", { href: `#/jobs/${job.id}` }, job.model), " ", h("small", {}, shortId(job.id))),
    chip(job.status),
    outcome(job),
    h("time", { datetime: job.created_at, title: moment(job.created_at) }, ago(job.created_at)),
  ]);
  return table("Jobs, newest first", ["Model", "Status", "Progress or result", "Begun"], rows);
}

const shortId = (id) => id.slice(4, 12);

function outcome(job) {
  if (job.status === "running") {
    return h("span", { class: "stack" }, progressBar(job), h("small", {}, progressText(job)));
  }
  if (job.status === "failed") return h("span", { class: "clipped" }, job.error.message);
  if (job.status !== "succeeded") return { queued: "Waiting for its turn", cancelled: "–" }[job.status];
  return h(
    "span",
    {},
    h("a", { href: `#/models/${job.model}/${job.version}` }, `Version ${job.version}`),
    `: ${percent(job.metrics.exact_match)} exact match`,
  );
}

/** Redraw without taking the focus from who tabs through the links. */
function keepFocus(node, draw) {
  const href = node.contains(document.activeElement) && document.activeElement.getAttribute("href");
  draw();
  if (href) node.querySelector(`[href="${href}"]`)?.focus();
}
