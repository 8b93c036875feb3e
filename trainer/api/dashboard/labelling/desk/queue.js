// The images that one goes through, in an order; loaded page by page, and never all of them.

import { api } from "../../lib/api.js";

const PAGE = 60;
const AHEAD = 20; // so many are loaded beyond the one in hand
const ALL_RANDOM = 12; // before anything is learned no image teaches more than another
const ONE_IN = 3; // afterwards one in three is random: the estimate rests on these
const SHUFFLED = { random: PAGE, informative: 12 }; // so many, that two people do not meet at each image
const SEED = Math.floor(Math.random() * 2 ** 32);

/** States of images that nobody has decided on. */
export const TODO = ["unlabelled", "proposed"];

/** Which images, and in which order. */
export const ORDERS = {
  chosen: { title: "What teaches most" },
  confidence: { title: "Surest proposals first", order: "confidence", state: TODO },
  suspected: { title: "Suspected labels", order: "suspect", state: ["suspected"] },
  confirmed: { title: "Confirmed", order: "name", state: ["confirmed"] },
  unreadable: { title: "Unreadable", order: "name", state: ["unreadable"] },
  all: { title: "All, by name", order: "name", state: [] },
};

/** The queue; its items are {image, random: whether it was drawn, typed: a text not yet given}.
 *
 * labelled: how many images have a label when it begins.
 */
export function imageQueue(datasetId, name, labelled, signal) {
  const items = [];
  const known = new Set();
  const inOrder = (query) => imagesInOrder(datasetId, query, signal);
  const open = () => {
    const { order, state } = ORDERS[name];
    return order ? inOrder({ order, state }) : mixed(inOrder, known, labelled);
  };
  const add = async (wanted) => {
    while (items.length < wanted && !queue.ended) {
      const { value, done } = await source.next();
      queue.ended = done;
      if (done || known.has(value.image.id)) continue;
      known.add(value.image.id);
      items.push({ ...value, typed: null });
    }
  };
  let source = open();
  let turn = Promise.resolve();
  const inTurn = (action) => (turn = turn.catch(() => {}).then(action));
  const queue = {
    items,
    ended: false,
    /** Put an item in that the order has not come to. */
    insert(at, item) {
      known.add(item.image.id);
      items.splice(at, 0, item);
    },
    /** Have enough items beyond this one, if there are any. */
    load: (at) => inTurn(() => add(at + 1 + AHEAD)),
    /** Take what comes behind the first `seen` anew: others may have a label now, or teach more. */
    renew: (seen) =>
      inTurn(async () => {
        for (const { image } of items.splice(seen)) known.delete(image.id);
        source = open();
        queue.ended = false;
        await add(seen + AHEAD);
      }),
  };
  return queue;
}

async function* imagesInOrder(datasetId, { order, state }, signal) {
  const asked = new URLSearchParams([["order", order], ["limit", PAGE], ...state.map((one) => ["state", one])]);
  for (let more = true; more; ) {
    const page = await api(`/datasets/${datasetId}/images?${asked}`, { signal });
    for (const image of shuffled(page.data, SHUFFLED[order] ?? 1)) yield { image, random: false };
    more = page.has_more && page.data.length > 0;
    if (more) asked.set("after", page.data.at(-1).id);
  }
}

/** Images in another order for each browser's tab, which stays; none moves out of its window. */
function shuffled(images, size) {
  const place = ({ id }) => (parseInt(id.slice(-8), 16) ^ SEED) >>> 0;
  const found = [];
  for (let from = 0; from < images.length; from += size) {
    found.push(...images.slice(from, from + size).sort((a, b) => place(a) - place(b)));
  }
  return found;
}

/** A share at random among those that teach most. */
async function* mixed(inOrder, known, labelled) {
  const [drawn, chosen] = ["random", "informative"].map((order) => inOrder({ order, state: TODO }));
  for (let given = labelled; ; given++) {
    const random = given < ALL_RANDOM || given % ONE_IN === 0;
    for (let isNew = false; !isNew; ) {
      const { value, done } = await (random ? drawn : chosen).next();
      if (done) return; // each of the two orders has all of them
      isNew = !known.has(value.image.id);
      if (isNew) yield { image: value.image, random };
    }
  }
}
