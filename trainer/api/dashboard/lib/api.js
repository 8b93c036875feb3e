// The public HTTP API: keys, problem documents, images, downloads.

import { h } from "./dom.js";

const KEY = "readsmith-api-key";

/** What an answer other than 2xx says. status is 0 where the service does not answer.
 *
 * images: those that somebody else has changed, where labels are refused for it.
 */
export class ApiError extends Error {
  constructor(message, { status = 0, code = "", hint = "", fields = [], images = [] } = {}) {
    super(message);
    Object.assign(this, { status, code, hint, fields, images });
  }
}

/** Who asks the visitor for a key (app.js): takes the reason, returns a promise of true or false. */
export const keyholder = { ask: async () => false };

/** The key in use, or null. */
export const apiKey = () => sessionStorage.getItem(KEY);

/** Use this key from now on; null forgets it. */
export function setApiKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** Ask the API: await api("/jobs", {method: "POST", json: {…}, signal}) → the answer's JSON.
 *
 * body: anything that fetch sends; headers: more of them. Raises ApiError, and AbortError when
 * the signal aborts. An answer without content gives null.
 */
export async function api(path, options = {}) {
  const response = await respond(path, options);
  return response.status === 204 ? null : response.json();
}

/** Ask for every page of a list that goes on after the last row's `key`, and return all rows. */
export async function everyRow(path, key, options) {
  const rows = [];
  for (let page = { has_more: true }; page.has_more; rows.push(...page.data)) {
    const after = rows.length ? `?after=${encodeURIComponent(rows.at(-1)[key])}` : "";
    page = await api(path + after, options);
  }
  return rows;
}

/** As api, but the Response itself: for headers, and bodies that are no JSON. */
export async function respond(path, options = {}) {
  const response = await ask(path, options);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401 && (await permitted(problem))) return respond(path, options);
  throw problem;
}

/** Send a form and hear how far it is: onProgress(share of the bytes). Otherwise as api. */
export async function upload(path, form, { onProgress, signal } = {}) {
  const response = await send(path, form, onProgress, signal);
  if (response.ok) return response.json();
  const problem = await problemOf(response);
  if (problem.status === 401 && (await permitted(problem))) {
    return upload(path, form, { onProgress, signal });
  }
  throw problem;
}

/** An <img> whose image is fetched with the key; an image that cannot be had says so. */
export function imageView(path, alt, signal) {
  const image = h("img", { alt, class: "image" });
  blob(path, signal).then(
    (data) => {
      image.onload = () => URL.revokeObjectURL(image.src);
      image.src = URL.createObjectURL(data);
    },
    (error) => {
      if (error.name !== "AbortError") image.replaceWith(h("span", { class: "missing" }, "no image"));
    },
  );
  return image;
}

/** Fetch a file with the key, and hand it to the browser to be saved. */
export async function download(path, name, signal) {
  saveBlob(await blob(path, signal), name);
}

/** Hand data to the browser to be saved. */
export function saveBlob(data, name) {
  const url = URL.createObjectURL(data);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Do something every so many seconds until the signal aborts or it returns false.
 *
 * Not while the page is out of sight. What it raises goes to onError, then it goes on.
 */
export async function poll(action, seconds, signal, onError = () => {}) {
  while (!signal.aborted) {
    if (!document.hidden) {
      try {
        if ((await action()) === false) return;
      } catch (error) {
        if (signal.aborted) return;
        onError(error);
      }
    }
    await pause(seconds, signal);
  }
}

/** Wait; ends at once when the signal aborts. */
export function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

/** The address of an API path, also where a proxy serves all this below a path of its own. */
export function address(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI);
}

async function ask(path, { method = "GET", json, body, headers = {}, signal }) {
  const all = { ...headers, ...bearer() };
  if (json !== undefined) all["Content-Type"] = "application/json";
  const data = json === undefined ? body : JSON.stringify(json);
  try {
    return await fetch(address(path), { method, body: data, headers: all, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw away();
  }
}

function bearer() {
  return apiKey() ? { Authorization: `Bearer ${apiKey()}` } : {};
}

async function blob(path, signal) {
  return (await respond(path, { signal })).blob();
}

function away() {
  const hint = "It may be starting, or stopped: look whether `readsmith up` is still running.";
  return new ApiError("Readsmith does not answer.", { hint });
}

async function problemOf(response) {
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail ?? `The answer was ${response.status} ${response.statusText}.`;
  const { code, hint, errors: fields, images } = problem;
  return new ApiError(message, { status: response.status, code, hint, fields, images });
}

let asking = null;
let declined = false;

/** Ask for a key, once for all requests that wait for one; who has said no is left in peace. */
async function permitted(problem) {
  if (declined) return false;
  asking ??= keyholder.ask(problem).finally(() => (asking = null));
  declined = !(await asking);
  return !declined;
}

/** Send by XMLHttpRequest, since fetch does not say how far an upload is. */
function send(path, form, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path));
    for (const [name, value] of Object.entries(bearer())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress?.(event.loaded / event.total);
    request.onload = () => resolve(new Response(request.response, { status: request.status }));
    request.onerror = () => reject(away());
    request.onabort = () => reject(new DOMException("Aborted", "AbortError"));
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}
