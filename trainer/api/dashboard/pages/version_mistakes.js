// Where a version's mistakes lie: by length, by character, which for which; and what thresholds do.

import { emptyState, h, quoted, table } from "../lib/dom.js";
import { percent } from "../lib/format.js";

const CONFUSIONS = 30;

/** Cards for a report: accuracy by length and by character, confusions, and thresholds if known. */
export function mistakeCards(report, calibration) {
  const byLength = Object.entries(report.by_length ?? {}).map(([length, one]) => [length, one.right, one.images]);
  const byCharacter = Object.entries(report.by_character ?? {})
    .map(([character, one]) => [character, one.right, one.count])
    .sort(([, right, count], [, otherRight, otherCount]) => right / count - otherRight / otherCount);
  return h("div", { class: "columns" }, [
    shareCard("By length", "Length", byLength),
    shareCard("By character", "Character", byCharacter, quoted),
    confusionCard(report),
    calibration && thresholdCard(calibration),
  ]);
}

/** What comes of accepting only predictions that are as sure as this. */
function thresholdCard({ thresholds, test }) {
  const columns = ["Accept from", "Accepted", "Wrong among them"];
  const rows = thresholds.map((one) => [
    percent(one.threshold),
    percent(one.accepted),
    [percent(one.wrong), h("small", { class: "why" }, `at most ${percent(one.wrong_interval[1])}`)],
  ]);
  return card(
    "Which confidence is enough",
    h("p", { class: "help" }, `A confidence of 90 % is right about 9 times in 10; on average it is ${percent(test.after)} off.`),
    scroll("Thresholds", narrow("Predictions accepted by their confidence", columns, rows)),
  );
}

function shareCard(title, name, counts, show = (text) => text) {
  const row = ([key, right, all]) => {
    const bar = h("span", { class: "bar", style: { "--share": right / all }, "aria-hidden": "true" });
    return [show(key), h("span", { class: "measure" }, percent(right / all), bar), `${right} of ${all}`];
  };
  return card(title, scroll(title, narrow(`Exact match ${title.toLowerCase()}`, [name, "Correct", "Images"], counts.map(row))));
}

function confusionCard({ confusions = [], insertions = {}, deletions = {} }) {
  const rows = [
    ...confusions.map(({ truth, text, count }) => [quoted(truth), quoted(text), count]),
    ...Object.entries(insertions).map(([text, count]) => ["nothing", quoted(text), count]),
    ...Object.entries(deletions).map(([truth, count]) => [quoted(truth), "nothing", count]),
  ].sort(([, , count], [, , other]) => other - count);
  const columns = ["Label says", "Read as", "Times"];
  return card(
    "Confusions",
    rows.length
      ? scroll("Confusions", narrow("Characters read as others", columns, rows.slice(0, CONFUSIONS)))
      : emptyState("No character was taken for another."),
  );
}

function card(title, ...children) {
  return h("section", { class: "card", "aria-label": title }, h("h2", {}, title), children);
}

/** A table that fits a phone as it is. */
function narrow(...parts) {
  const made = table(...parts);
  made.classList.remove("cards");
  return made;
}

function scroll(title, content) {
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}, table` }, content);
}
