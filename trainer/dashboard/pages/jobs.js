// The list of jobs, and the form for a new one.

import { h } from "../dom.js";

export async function show(main, params, signal) {
  main.append(h("div", { class: "page-head" }, h("h1", {}, "Jobs")));
}
