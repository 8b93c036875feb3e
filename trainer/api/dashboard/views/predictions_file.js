// What was read on a page, as a file for a spreadsheet.

import { saveBlob } from "../lib/api.js";
import { h } from "../lib/dom.js";

const COLUMNS = ["file", "text", "confidence", "model", "version"];
const FORMULA = /^'*[=+\-@\t\r]/; // a spreadsheet would run it

/** A button that is there once something was read; add() notes a prediction. */
export function predictionsFile() {
  const rows = [];
  const save = () => {
    const lines = [COLUMNS, ...rows].map((row) => row.map(cell).join(","));
    saveBlob(new Blob([`${lines.join("\n")}\n`], { type: "text/csv" }), "predictions.csv");
  };
  const button = h("button", { type: "button", hidden: true, onclick: save }, "Download CSV");
  const add = (file, { text, confidence, model, version }) => {
    rows.push([file, text ?? "", confidence, model, version]);
    button.hidden = false;
  };
  return { add, button };
}

function cell(value) {
  const text = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
