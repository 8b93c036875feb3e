// The list of jobs, and the form for a new one.

import { api, poll } from "../api.js";
import { chip, emptyState, errorBox, h, replace, table } from "../dom.js";
import { ago, moment, percent } from "../format.js";
import { progressBar, progressText } from "../job_progress.js";
import { newJobForm } from "./new_job.js";

const SECONDS = 2;

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
  let older = [];
  let shown = "";
  const showOlder = async () => {
    const last = older.at(-1) ?? newest.data.at(-1);
    const page = await api(`/jobs?after=${last.id}`, { signal });
    older = [...older, ...page.data];
    more = page.has_more;
    draw();
  };
  let newest = null;
  let more = null;
  const draw = () => {
    const ids = new Set(newest.data.map((job) => job.id));
    const jobs = [...newest.data, ...older.filter((job) => !ids.has(job.id))];
    keepFocus(list, () =>
      replace(
        list,
        jobs.length ? jobTable(jobs) : noJobs(),
        (more ?? newest.has_more) && h("button", { type: "button", onclick: showOlder }, "Show older jobs"),
      ),
    );
  };
  return async () => {
    newest = await api("/jobs", { signal });
    trouble.replaceChildren();
    if (JSON.stringify(newest) === shown) return;
    shown = JSON.stringify(newest);
    draw();
  };
}

function noJobs() {
  return emptyState(
    "No jobs yet",
    h("p", {}, "Drop a zip of labelled pictures above: you see what is in it before anything starts."),
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
    ` reads ${percent(job.metrics.exact_match)} right`,
  );
}

/** Draw anew without taking the focus from who tabs through the links. */
function keepFocus(node, draw) {
  const href = node.contains(document.activeElement) && document.activeElement.getAttribute("href");
  draw();
  if (href) node.querySelector(`[href="${href}"]`)?.focus();
}
