// Reads images with a running predictor: node read.mjs IMAGE...
import { readFile } from "node:fs/promises";

const predictor = process.env.READSMITH_PREDICTOR_URL ?? "http://localhost:8080";
const key = process.env.READSMITH_API_KEY;

for (const path of process.argv.slice(2)) {
  const answer = await fetch(`${predictor}/predict`, {
    method: "POST",
    headers: {
      "Content-Type": "application/octet-stream",
      ...(key && { Authorization: `Bearer ${key}` }),
    },
    body: await readFile(path),
  });
  const prediction = await answer.json();
  if (answer.ok) {
    console.log(`${path}: ${prediction.text} (${(100 * prediction.confidence).toFixed(1)}%)`);
  } else {
    console.error(`${path}: ${prediction.detail} ${prediction.hint}`);
    process.exitCode = 1;
  }
}
