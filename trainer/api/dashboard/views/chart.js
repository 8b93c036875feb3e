// Lines over epochs, drawn as SVG.

import { h, svg } from "../lib/dom.js";

const [WIDTH, HEIGHT] = [400, 200];
const [LEFT, RIGHT, TOP, BOTTOM] = [60, 12, 12, 28];

/** A <figure> with a chart of lines, its legend, and its numbers in a table that is folded away.
 *
 * lines: [{name, points: [[x, y], …]}], at most three; format: y in words; summary: what a
 * screen reader says in place of the image; top: the largest y that may be, else the data's.
 */
export function lineChart({ title, lines, xName, format, summary, top }) {
  const points = lines.flatMap((line) => line.points);
  const xs = points.map((point) => point[0]);
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const most = top ?? (Math.max(...points.map((point) => point[1])) || 1);
  const step = niceStep(most);
  const steps = Math.ceil(most / step - 1e-6);
  const highest = steps * step;
  const place = ([x, y]) => [
    LEFT + ((x - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT),
    HEIGHT - BOTTOM - (y / highest) * (HEIGHT - TOP - BOTTOM),
  ];
  return h(
    "figure",
    { class: "chart" },
    h("figcaption", {}, h("strong", {}, title), legend(lines)),
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${summary}` },
      grid(step, steps, format),
      axis(first, last, xName),
      lines.map((line, index) => drawn(line.points.map(place), index)),
      lines.map((line) => line.points.map((point) => hovered(place(point), said(line.name, point, xName, format)))),
    ),
    numbers(title, lines, xName, format),
  );
}

function legend(lines) {
  return h("span", { class: "legend" }, lines.map((line, i) => h("span", { "data-line": i }, line.name)));
}

/** A round part of the axis, at least a quarter of the highest value. */
function niceStep(highest) {
  const least = highest / 4;
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= least * 0.9999);
}

function grid(step, steps, format) {
  return Array.from({ length: steps + 1 }, (_, number) => {
    const y = HEIGHT - BOTTOM - (number / steps) * (HEIGHT - TOP - BOTTOM);
    return [
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }),
      svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, format(number * step)),
    ];
  });
}

function axis(first, last, xName) {
  const y = HEIGHT - 8;
  return [
    svg("text", { x: LEFT, y }, `${xName} ${first}`),
    last > first && svg("text", { x: WIDTH - RIGHT, y, "text-anchor": "end" }, `${xName} ${last}`),
  ];
}

function drawn(places, index) {
  const rounded = places.map((place) => place.map((value) => value.toFixed(1)));
  const [x, y] = rounded[rounded.length - 1];
  return svg(
    "g",
    { "data-line": index },
    svg("polyline", { points: rounded.map((each) => each.join(",")).join(" ") }),
    svg("circle", { cx: x, cy: y, r: 3.5 }),
  );
}

/** What a point says on hover: a mouse need not hit the line. */
function hovered([x, y], text) {
  return svg("circle", { class: "hover", cx: x.toFixed(1), cy: y.toFixed(1), r: 7 }, svg("title", {}, text));
}

const said = (name, [x, y], xName, format) => `${name}, ${xName} ${x}: ${format(y)}`;

function numbers(title, lines, xName, format) {
  const head = [xName, ...lines.map((line) => line.name)].map((name) => h("th", { scope: "col" }, name));
  const rows = lines[0].points.map(([x], row) =>
    h("tr", {}, h("th", { scope: "row" }, x), lines.map((line) => h("td", {}, format(line.points[row][1])))),
  );
  return h(
    "details",
    {},
    h("summary", {}, "Numbers"),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": `${title}, numbers` },
      h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)),
    ),
  );
}
