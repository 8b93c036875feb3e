// Asks the predictor. A key, where one is wanted, is stored until the tab is closed.

import { byId } from "./dom.js";

const KEY = "readsmith-key";

export class ApiError extends Error {
  constructor(message, hint, code) {
    super(message);
    this.hint = hint;
    this.code = code;
  }
}

export function apiKey() {
  return sessionStorage.getItem(KEY);
}

/** Send a request; return {body, headers}. Raises ApiError with what a person should know. */
export async function ask(path, { method = "GET", body, headers = {} } = {}) {
  const all = apiKey() ? { ...headers, Authorization: `Bearer ${apiKey()}` } : headers;
  let response;
  try {
    response = await fetch(path, { method, body, headers: all });
  } catch {
    throw new ApiError("The predictor does not answer.", "Look whether it is still running.");
  }
  if (response.ok) return { body: await response.json(), headers: response.headers };
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail ?? `The answer was ${response.status} ${response.statusText}.`;
  if (response.status === 401 && (await permitted(message))) return ask(path, { method, body, headers });
  throw new ApiError(message, problem.hint, problem.code);
}

let asking = null;
let declined = false;

/** Ask for a key, once for all requests that wait for one; who has said no is left in peace. */
async function permitted(reason) {
  if (declined) return false;
  asking ??= keyOf(reason).finally(() => (asking = null));
  declined = !(await asking);
  return !declined;
}

function keyOf(reason) {
  const dialog = byId("key");
  byId("key-reason").textContent = reason;
  byId("key-input").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      const key = byId("key-input").value.trim();
      const given = dialog.returnValue === "use" && key !== "";
      if (given) sessionStorage.setItem(KEY, key);
      resolve(given);
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}
