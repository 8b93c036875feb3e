// Which page is shown, and who asks for the key.

import { ApiError, apiKey, keyholder, setApiKey } from "./lib/api.js";
import { errorBox, h } from "./lib/dom.js";

/** Path below # → module in pages/; names after : go to the page as params. */
const ROUTES = [
  ["/", "jobs"],
  ["/jobs", "jobs"],
  ["/jobs/:id", "job"],
  ["/models", "models"],
  ["/models/:name", "models"],
  ["/models/:name/:version", "version"],
  ["/models/:name/compare/:a/:b", "compare"],
  ["/try", "try"],
  ["/try/:model", "try"],
  ["/label", "labels/labels"],
  ["/label/:id", "labels/label"],
  ["/corrections", "labels/corrections"],
  ["/corrections/:name", "labels/corrections"],
];

/** Link of the navigation → where the paths of its pages begin, if not with its own. */
const BELOW = { "/": ["/jobs"], "/label": ["/label", "/corrections"] };

const main = document.getElementById("main");
const keyButton = document.getElementById("change-key");
let leaving = new AbortController();

window.addEventListener("hashchange", () => open());
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // #main is no page
  main.focus();
});
keyholder.ask = askForKey;
keyButton.addEventListener("click", () => {
  setApiKey(null);
  location.reload(); // and so ask again
});
keyButton.hidden = !apiKey();
open(true);

async function open(first = false) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const path = location.hash.slice(1) || "/";
  markPlace(path);
  main.replaceChildren();
  try {
    const { page, params } = find(path);
    const shown = (await import(`./pages/${page}.js`)).show(main, params, signal);
    entitle(first);
    await shown;
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof ApiError)) console.error(error); // a fault of ours
    if (!main.querySelector("h1")) main.append(h("h1", {}, "This page cannot be shown"));
    main.append(errorBox(error));
  }
  if (!signal.aborted) entitle(first);
}

function find(path) {
  for (const [pattern, page] of ROUTES) {
    const names = [...pattern.matchAll(/:(\w+)/g)].map((match) => match[1]);
    const match = path.match(`^${pattern.replace(/:\w+/g, "([^/]+)")}$`);
    if (match) {
      const values = match.slice(1).map(decodeURIComponent);
      return { page, params: Object.fromEntries(names.map((name, i) => [name, values[i]])) };
    }
  }
  throw new Error(`There is no page ${path}.`);
}

/** Name the document after its heading, and go there unless the page has just been loaded. */
function entitle(first) {
  const heading = main.querySelector("h1");
  if (!heading) return;
  document.title = `${heading.textContent} · Readsmith`;
  if (first || heading.dataset.seen) return;
  heading.dataset.seen = "yes";
  heading.tabIndex = -1;
  heading.focus();
}

function markPlace(path) {
  for (const link of document.querySelectorAll("nav a")) {
    const place = link.hash.slice(1);
    const here = path === place || (BELOW[place] ?? [place]).some((start) => path.startsWith(start));
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** Show the dialog; true once the visitor has given a key. */
function askForKey(problem) {
  const dialog = document.getElementById("key");
  const input = document.getElementById("key-input");
  document.getElementById("key-reason").textContent = problem.message;
  input.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const given = dialog.returnValue === "use" && input.value.trim();
        if (given) setApiKey(given);
        input.value = dialog.returnValue = "";
        keyButton.hidden = false;
        keyButton.textContent = apiKey() ? "Forget key" : "Enter key";
        resolve(Boolean(given));
      },
      { once: true },
    );
  });
}
