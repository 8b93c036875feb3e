// How a job ended, and what to do next.

import { actionButton } from "../lib/action.js";
import { api } from "../lib/api.js";
import { card, errorBox, figures, h } from "../lib/dom.js";
import { duration, percent } from "../lib/format.js";
import { interval, tellsLittle, unreadable } from "./version_view.js";

/** What a job ended with: its version, why it failed, or that it was cancelled. */
export function outcome(job, trouble, signal) {
  if (job.status === "succeeded") return result(job);
  const stopped = h("p", { class: "notice" }, "This job was cancelled; it published nothing.");
  const again = async () => {
    const next = await api("/jobs", { method: "POST", json: job.request, signal });
    location.hash = `#/jobs/${next.id}`;
  };
  return h(
    "div",
    { class: "stack" },
    job.status === "failed" ? errorBox(job.error) : stopped,
    h("div", { class: "actions" }, actionButton("Start it again", again, { trouble })),
  );
}

function result(job) {
  const { metrics } = job;
  return card(
    `Version ${job.version} is published`,
    figures([
      ["Exact match", percent(metrics.exact_match), interval(metrics)],
      ["Wrong characters", percent(metrics.cer), "character error rate"],
      ["Confidence", percent(metrics.mean_confidence), "on average"],
      ...unreadable(metrics),
      ["Training took", duration(metrics.train_seconds), `${metrics.epochs} epochs`],
    ]),
    tellsLittle(metrics),
    h("p", {}, served(job)),
    h(
      "div",
      { class: "actions" },
      h("a", { class: "button primary", href: `#/models/${job.model}/${job.version}` }, "See its report"),
      h("a", { class: "button", href: `#/try/${job.model}` }, "Try it"),
    ),
  );
}

function served(job) {
  if (job.promoted) return "It is served now.";
  if (job.request.promote === "never") return "It is not served: that is left to you.";
  const { comparison } = job;
  if (comparison && comparison.lost > comparison.gained) {
    return `Version ${comparison.version} is still served, since it reads the same held-out images clearly better.`;
  }
  return "It is not served: the held-out images do not show that it has learned, as the last event says. You can serve it all the same, on its page.";
}
