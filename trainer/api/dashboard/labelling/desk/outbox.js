// Changes of labels on their way to the service; this browser stores them until it has them.

import { api, pause } from "../../lib/api.js";

const MOST = 500; // labels in a request
const [FIRST_WAIT, LONGEST_WAIT] = [1, 10]; // seconds
const FOR_NOW = [0, 401, 408, 429, 500, 502, 503, 504]; // answers after which it is tried again
const outboxes = new Map();

/** The outbox of a dataset; it goes on sending while other pages are shown.
 *
 * heard: saved(images, version) | changed(image, change): somebody else changed this label
 * | refused(change, error) | waiting(error): it is tried again.
 */
export function openOutbox(datasetId, by, heard) {
  if (!outboxes.has(datasetId)) outboxes.set(datasetId, makeOutbox(datasetId));
  const outbox = outboxes.get(datasetId);
  Object.assign(outbox, { by, heard });
  outbox.send();
  return outbox;
}

function makeOutbox(datasetId) {
  const unsent = storedChanges(datasetId);
  let sending = null;
  let most = MOST;
  const done = (change) => {
    if (unsent.get(change.id) === change) unsent.delete(change.id);
    forget(datasetId, change);
  };
  /** Later changes of the same images are made to what the service has now. */
  const settle = (batch, images, version) => {
    batch.forEach(done);
    for (const image of images) {
      const later = unsent.get(image.id);
      if (later) store(datasetId, Object.assign(later, { version: image.version }));
    }
    outbox.heard.saved(images, version);
  };
  const giveWay = (image) => {
    const change = unsent.get(image.id);
    done(change);
    outbox.heard.changed(image, change);
  };
  const sendSome = async () => {
    const batch = [...unsent.values()].slice(0, most);
    try {
      const json = { labels: batch, by: outbox.by() };
      const { data, version } = await api(`/datasets/${datasetId}/labels`, { method: "PUT", json });
      settle(batch, data, version);
      most = MOST;
    } catch (error) {
      if (FOR_NOW.includes(error.status)) throw error;
      if (error.code === "labels_changed") error.images.forEach(giveWay);
      else if (batch.length > 1) most = 1; // to find the one that is at fault
      else {
        done(batch[0]);
        outbox.heard.refused(batch[0], error);
      }
    }
  };
  const sendAll = async () => {
    for (let wait = FIRST_WAIT; unsent.size; ) {
      try {
        await sendSome();
        wait = FIRST_WAIT;
      } catch (error) {
        if (!FOR_NOW.includes(error.status)) throw error;
        outbox.heard.waiting(error);
        await pause(wait);
        wait = Math.min(2 * wait, LONGEST_WAIT);
      }
    }
  };
  const outbox = {
    unsent,
    put(change) {
      unsent.set(change.id, change);
      store(datasetId, change);
      this.send();
    },
    /** Resolves once nothing is left to send. */
    send() {
      sending ??= sendAll().finally(() => (sending = null));
      return sending;
    },
  };
  return outbox;
}

const keyOf = (datasetId, imageId) => `readsmith-unsent/${datasetId}/${imageId}`;

function storedChanges(datasetId) {
  const ours = Object.keys(localStorage).filter((key) => key.startsWith(keyOf(datasetId, "")));
  return new Map(ours.map((key) => JSON.parse(localStorage.getItem(key))).map((one) => [one.id, one]));
}

function store(datasetId, change) {
  localStorage.setItem(keyOf(datasetId, change.id), JSON.stringify(change));
}

/** Another tab may have stored a later change of this image since: that one stays. */
function forget(datasetId, change) {
  const key = keyOf(datasetId, change.id);
  if (localStorage.getItem(key) === JSON.stringify(change)) localStorage.removeItem(key);
}
