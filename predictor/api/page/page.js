// Takes images: dropped, pasted, chosen or photographed; and shows what is read in them.

import { ask } from "./api.js";
import { announce, byId, errorBox, h } from "./dom.js";
import { result } from "./result.js";

const ALTERNATIVES = 5;
let turn = Promise.resolve(); // one after the other, in the order in which they came

function take(files) {
  const images = [...files].filter((file) => file.type.startsWith("image/"));
  const others = files.length - images.length;
  if (others) announce(`${others} ${others === 1 ? "file" : "files"} passed over: no image.`);
  for (const file of images) {
    const card = h("section", { class: "card", "aria-label": file.name }, h("p", {}, `Predicting the text of ${file.name}…`));
    byId("results").prepend(card);
    turn = turn.then(() => read(file, card));
  }
}

async function read(file, card) {
  const model = byId("model").value;
  const query = new URLSearchParams({ ...(model && { model }), top_k: ALTERNATIVES, show_input: true });
  try {
    const headers = { "Content-Type": file.type };
    const answer = await ask(`predict?${query}`, { method: "POST", body: file, headers });
    card.replaceChildren(...result(file, answer.body, timesOf(answer.headers)));
    announce(`${file.name} says ${answer.body.text || "nothing"}.`);
  } catch (error) {
    card.replaceChildren(h("h2", {}, file.name), errorBox(error));
  }
}

/** Milliseconds by the names of what took them. */
function timesOf(headers) {
  const parts = (headers.get("Server-Timing") ?? "").split(", ").map((part) => part.split(";dur="));
  return Object.fromEntries(parts.map(([name, value]) => [name, Number(value)]));
}

async function listModels() {
  try {
    const { data } = (await ask("models")).body;
    const option = ({ model, version }) => h("option", { value: model }, `${model}, version ${version}`);
    byId("model").replaceChildren(h("option", { value: "" }, "the one that is served by default"), ...data.map(option));
    byId("models").hidden = data.length < 2;
  } catch (error) {
    byId("trouble").replaceChildren(errorBox(error));
  }
}

const zone = byId("zone");
for (const id of ["choose", "photograph"]) {
  const input = byId(id);
  input.addEventListener("change", () => {
    take(input.files);
    input.value = "";
  });
}
window.addEventListener("paste", (event) => take(event.clipboardData.files));
window.addEventListener("dragover", (event) => {
  event.preventDefault();
  zone.classList.add("over");
});
window.addEventListener("dragleave", () => zone.classList.remove("over"));
window.addEventListener("drop", (event) => {
  event.preventDefault();
  zone.classList.remove("over");
  take(event.dataTransfer.files);
});
listModels();
