// Reads pictures with a running predictor: node read.mjs PICTURE...
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
  const reading = await answer.json();
  if (answer.ok) {
    console.log(`${path}: ${reading.text} (${(100 * reading.confidence).toFixed(1)}%)`);
  } else {
    console.error(`${path}: ${reading.detail} ${reading.hint}`);
    process.exitCode = 1;
  }
}
