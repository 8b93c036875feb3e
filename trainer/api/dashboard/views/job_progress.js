// How far a job is, in words and as a bar.

import { h } from "../lib/dom.js";
import { timeLeft } from "../lib/format.js";

/** The stages in their order, as a person calls them. */
export const STAGES = {
  download: "Getting the images",
  dataset: "Checking them",
  train: "Training",
  evaluate: "Measuring",
  export: "Publishing",
};

/** Whether nothing more will happen to a job. */
export const isFinal = (job) => ["succeeded", "failed", "cancelled"].includes(job.status);

/** A bar of the epochs; before and after training it moves without a number. */
export function progressBar(job) {
  const known = job.stage === "train" && job.progress;
  return h("progress", {
    "aria-label": "Progress",
    max: known ? job.progress.epochs : null,
    value: known ? job.progress.epoch : null,
  });
}

/** "Training, epoch 3 of 20, about 2 minutes left"; of a search also which trial. */
export function progressText(job, events = []) {
  const { stage, progress } = job;
  if (stage === "train" && !progress) return [STAGES.train, firstEstimate(events)].filter(Boolean).join(", ");
  if (stage !== "train") return STAGES[stage] ?? "Starting";
  const left = (new Date(progress.estimated_finish_at) - Date.now()) / 1000;
  const running = job.trials?.findLast((one) => one.status === "running");
  const trial = running ? `trial ${running.number}, ` : "";
  return `Training, ${trial}epoch ${progress.epoch} of ${progress.epochs}, ${timeLeft(left)}`;
}

/** The time left of the training that began last, as estimated from its first steps. */
function firstEstimate(events) {
  const said = events.findLast((one) => ["estimate", "stage", "restart"].includes(one.type));
  if (said?.type !== "estimate") return null;
  return timeLeft((new Date(said.at) - Date.now()) / 1000 + said.data.seconds_left);
}
