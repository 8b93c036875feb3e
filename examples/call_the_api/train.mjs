// Trains a model on a running trainer: node train.mjs ZIP [MODEL]
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

const trainer = process.env.READSMITH_TRAINER_URL ?? "http://localhost:8000";
const key = process.env.READSMITH_API_KEY;
const [zip, model = "default"] = process.argv.slice(2);

async function ask(path, { headers, ...options } = {}) {
  const answer = await fetch(trainer + path, {
    ...options,
    headers: { ...headers, ...(key && { Authorization: `Bearer ${key}` }) },
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${said.detail} ${said.hint}`);
  return said;
}

const form = new FormData();
form.append("file", new Blob([await readFile(zip)]), "dataset.zip");
const dataset = await ask("/datasets", { method: "POST", body: form });

let job = await ask("/jobs", {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ dataset: { id: dataset.id }, model }),
});
while (["queued", "running"].includes(job.status)) {
  await pause(1000);
  job = await ask(`/jobs/${job.id}`);
  const progress = job.progress;
  console.log(job.stage ?? job.status, progress ? `epoch ${progress.epoch} of ${progress.epochs}` : "");
}
if (job.status !== "succeeded") throw new Error(job.error?.message ?? `The job was ${job.status}.`);
console.log(`${job.model} version ${job.version}: ${(100 * job.metrics.exact_match).toFixed(1)}% read right`);
