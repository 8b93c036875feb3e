// Where one labels: the images in hand, what was decided, and what others do meanwhile.

import { api, poll } from "../../lib/api.js";
import { openOutbox } from "./outbox.js";
import { TODO, imageQueue } from "./queue.js";

export const GRID = 48; // images on a page of the grid
const SECONDS = 2;

export const isTodo = (state) => TODO.includes(state);

/** The label of an item as it will be: {state, text, by}, saved or not. */
export const labelOf = ({ image, change }) => (change ? { ...change, by: null } : image);

/** What its text field says before anything is typed. */
export function offered(item) {
  const { state, text } = labelOf(item);
  return isTodo(state) ? (item.image.proposal ?? "") : (text ?? "");
}

/** A desk for a dataset.
 *
 * by: returns the name of who labels; told(what): "moved" to another place, "labels" or their
 * saving changed, proposals were "learned". items, at, item: the queue, the place in it, what is
 * there (undefined at its end). notes: what became of labels that were not saved.
 */
export function openDesk(dataset, { by, told, signal }) {
  const path = `/datasets/${dataset.id}`;
  const past = [];
  const draft = draftOf(dataset.id);
  let version = dataset.version;
  let queue;

  const desk = {
    dataset,
    notes: [],
    waiting: null,
    order: "chosen",
    isGrid: false,
    at: 0,
    get items() {
      return queue.items;
    },
    get item() {
      return queue.items[desk.at];
    },
    get ended() {
      return queue.ended;
    },
    get unsent() {
      return outbox.unsent.size;
    },
    saved: () => outbox.send(),

    /** Begin with the images of an order. */
    async choose(order) {
      const { confirmed, suspected } = desk.dataset.counts;
      Object.assign(desk, { order, at: 0 });
      queue = imageQueue(dataset.id, order, confirmed + suspected, signal);
      await queue.load(0);
      await resume();
      adopt();
      told("moved");
    },
    async go(at) {
      if (at < 0 || at > queue.items.length) return;
      desk.at = at;
      const loaded = queue.load(desk.isGrid ? lastOnPage() : at);
      if (desk.item && !desk.isGrid) loaded.then(() => told("labels"), failed); // nobody waits for it
      else await loaded;
      told("moved");
    },
    /** Keep what is being typed, null for nothing: it is there again when the page is loaded anew. */
    type(item, text) {
      item.typed = text;
      draft.keep(text === null ? null : { id: item.image.id, random: item.random, text });
    },
    /** Decide on an item, and go on to the next. */
    decide(item, state, text = null) {
      past.push({ item, ...labelOf(item) });
      desk.type(item, null);
      change(item, { state, text });
      return desk.go(queue.items.indexOf(item) + 1);
    },
    /** Take back the last decision; returns its item, undefined if there is none. */
    undo() {
      const last = past.pop();
      if (!last) return undefined;
      const { item, state, text } = last;
      const isText = state === "confirmed" || state === "suspected";
      change(item, isText ? { state: "confirmed", text } : { state: isTodo(state) ? "unlabelled" : state, text: null });
      if (!queue.items.includes(item)) queue.insert(desk.at, item);
      desk.go(queue.items.indexOf(item));
      return item;
    },
    /** Decide anew on an image that somebody else has changed. */
    insist(image, { state, text, random }) {
      outbox.put({ id: image.id, version: image.version, state, text, random });
    },
    watch: () => poll(look, SECONDS, signal, failed),
  };

  const outbox = openOutbox(dataset.id, by, {
    saved(images, now) {
      version = now ?? version;
      desk.waiting = null;
      images.forEach(put);
      if (!signal.aborted) told("labels");
    },
    changed(image, mine) {
      put(image);
      note({ image, mine });
    },
    refused(mine, error) {
      const item = queue?.items.find(({ image }) => image.id === mine.id);
      if (item) item.change = null;
      note({ mine, error });
    },
    waiting(error) {
      desk.waiting = error;
      if (!signal.aborted) told("labels");
    },
  });

  function failed(error) {
    if (signal.aborted) return;
    desk.waiting = error;
    told("labels");
  }

  function note(one) {
    desk.notes.push(one);
    if (!signal.aborted) told("labels");
  }

  function change(item, { state, text }) {
    const { counts } = desk.dataset;
    counts[labelOf(item).state] -= 1;
    counts[state] += 1;
    const { id, version } = item.image;
    item.change = { id, version, state, text, random: item.random };
    outbox.put(item.change);
  }

  /** Take over what the service says of an image. */
  function put(image) {
    const item = queue?.items.find((one) => one.image.id === image.id);
    if (!item) return;
    item.image = image;
    item.change = outbox.unsent.get(image.id) ?? null;
  }

  /** Begin with the text that was being typed when the page was left. */
  async function resume() {
    const { id, random, text } = draft.get() ?? {};
    if (!id) return;
    const at = queue.items.findIndex(({ image }) => image.id === id);
    const [item] = at < 0 ? [] : queue.items.splice(at, 1);
    const image = item?.image ?? (await api(`${path}/images/${id}`, { signal }).catch(() => null));
    if (image) queue.insert(0, { image, random, typed: text });
  }

  /** Labels that were decided before the page was left may not be saved yet. */
  function adopt() {
    for (const item of queue.items) item.change = outbox.unsent.get(item.image.id) ?? null;
  }

  const lastOnPage = () => (Math.floor(desk.at / GRID) + 1) * GRID - 1;

  async function look() {
    const isSaving = desk.unsent > 0;
    const now = await api(path, { signal });
    if (desk.waiting && !isSaving) desk.waiting = null;
    const isNew = now.version !== version;
    const { learned, learning } = desk.dataset;
    const hasLearned = now.learned !== learned || (learning !== null && now.learning !== learning);
    if (isSaving || desk.unsent) now.counts = desk.dataset.counts;
    version = now.version;
    desk.dataset = now;
    if (isNew || hasLearned) await renew();
    told(hasLearned ? "learned" : "labels");
  }

  /** Read again what is in sight, and take what comes behind it in its present order. */
  async function renew() {
    const first = desk.isGrid ? lastOnPage() - GRID + 1 : desk.at;
    const seen = desk.isGrid ? lastOnPage() + 1 : desk.at + 1;
    const inSight = queue.items.slice(first, seen).filter(({ change }) => !change);
    const read = ({ image }) => api(`${path}/images/${image.id}`, { signal }).then(put, gone);
    await Promise.all(inSight.map(read));
    await queue.renew(Math.min(seen, queue.items.length));
    adopt();
  }

  return desk;
}

/** An image that is deleted since stays as it was until one goes on. */
function gone(error) {
  if (error.status !== 404) throw error;
}

function draftOf(datasetId) {
  const key = `readsmith-draft/${datasetId}`;
  return {
    keep: (draft) => (draft ? localStorage.setItem(key, JSON.stringify(draft)) : localStorage.removeItem(key)),
    get: () => JSON.parse(localStorage.getItem(key)),
  };
}
