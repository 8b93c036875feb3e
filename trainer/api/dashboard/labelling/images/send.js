// Sends images, or an archive of labelled ones, and makes a dataset of them.

import { api, upload } from "../../lib/api.js";
import { tarOf } from "./tar.js";

const NAMES = "file names"; // where the check of a dataset says that labels come from
const [MOST, MOST_BYTES] = [64, 16e6]; // in one request

/** Send images to a dataset; onProgress(share). Returns {added, known, rejected}. */
export async function sendImages(datasetId, files, { onProgress, signal }) {
  const total = { added: 0, known: 0, rejected: [] };
  let sent = 0;
  for (const batch of batches(files)) {
    const form = new FormData();
    for (const { file, name } of batch) form.append("image", file, name);
    const inBatch = (share) => onProgress((sent + share * batch.length) / files.length);
    const { added, known, rejected } = await upload(`/datasets/${datasetId}/images`, form, { onProgress: inBatch, signal });
    sent += batch.length;
    total.added += added;
    total.known += known;
    total.rejected.push(...rejected);
  }
  return total;
}

/** Send an archive, or a folder with its lists of labels as one, and make a dataset of it.
 *
 * ask(id of the upload, samples): whether the file names are the labels, where they may be.
 */
export async function sendLabelled(name, files, { onProgress, signal, ask }) {
  const form = new FormData();
  form.append("file", isArchive(files) ? files[0].file : tarOf(files));
  const { id } = await upload("/datasets", form, { onProgress, signal });
  const labels = (await areNamesLabels(id, { signal, ask })) ? "auto" : null;
  try {
    return await api("/datasets", { method: "POST", json: { name, from: id, labels }, signal });
  } finally {
    api(`/datasets/${id}`, { method: "DELETE" }).catch(() => {}); // room is made by itself otherwise
  }
}

const isArchive = (files) => files.length === 1;

/** False only where somebody says that names, which look like labels, are none. */
async function areNamesLabels(id, { signal, ask }) {
  const asked = { method: "POST", json: { labels: "auto" }, signal };
  const check = await api(`/datasets/${id}/check`, asked).catch(() => null); // a few images cannot be trained on
  return check?.summary.labels_from === NAMES ? ask(id, check.samples) : true;
}

function batches(files) {
  const found = [];
  let [batch, size] = [[], 0];
  for (const one of files) {
    if (batch.length === MOST || (batch.length && size + one.file.size > MOST_BYTES)) {
      found.push(batch);
      [batch, size] = [[], 0];
    }
    batch.push(one);
    size += one.file.size;
  }
  return batch.length ? [...found, batch] : found;
}
