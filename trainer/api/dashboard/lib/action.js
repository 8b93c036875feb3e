// Buttons that ask the API for something.

import { errorBox, h, replace } from "./dom.js";

/** A button that does something, once at a time; what goes wrong is shown in the node `trouble`. */
export function actionButton(text, action, { trouble, ...props }) {
  const button = h("button", { type: "button", onclick: () => attempt(action, { trouble, button }) }, text);
  for (const [name, value] of Object.entries(props)) button.setAttribute(name, value);
  return button;
}

/** Do something while `button` rests; true if it went well, else `trouble` shows why not. */
export async function attempt(action, { trouble, button }) {
  trouble.replaceChildren();
  button.disabled = true;
  try {
    await action();
    return true;
  } catch (error) {
    if (error.name !== "AbortError") replace(trouble, errorBox(error));
    return false;
  } finally {
    button.disabled = false;
  }
}
