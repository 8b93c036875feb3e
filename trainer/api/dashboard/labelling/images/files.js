// Files that are dropped or chosen: of folders with their paths, and what kind they are.

const IMAGES = /\.(png|jpe?g|jpe|jfif|gif|bmp|webp|tiff?|p[pgbn]m|avif|heic|heif|hif)$/i;
const ARCHIVES = /\.(zip|tar|tgz|tar\.(gz|bz2|xz)|parquet)$/i;
const LISTS = /\.(csv|tsv|txt|jsonl?|xml|ya?ml|box|lst)$/i;

/** What is dropped, as [{file, name}]: the name has the path within the folder that was dropped. */
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, name: file.name }));
  return (await Promise.all(entries.map(filesBelow))).flat();
}

/** What an <input type="file"> holds, as [{file, name}]. */
export const chosenFiles = (input) =>
  [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));

/** Sort files into {images, lists, archives}; hidden ones and all others are left out. */
export function sorted(files) {
  const seen = files.filter(({ name }) => !/(^|\/)(\.|__MACOSX\/)/.test(name));
  const kind = (ending) => seen.filter(({ name }) => ending.test(name));
  return { images: kind(IMAGES), lists: kind(LISTS), archives: kind(ARCHIVES) };
}

/** A name for a dataset, and so for its model: of the folder or the archive, else "images". */
export function nameFor(files) {
  const [first] = files;
  const folder = first.name.includes("/") && first.name.split("/")[0];
  const own = folder || (ARCHIVES.test(first.name) ? first.name.replace(ARCHIVES, "") : "images");
  const name = own.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+|-+$/g, "");
  return name.slice(0, 64) || "images";
}

async function filesBelow(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ file, name: entry.fullPath.slice(1) }];
  }
  const reader = entry.createReader();
  const found = [];
  for (let some = null; some?.length !== 0; found.push(...some)) {
    some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 a time
  }
  return (await Promise.all(found.map(filesBelow))).flat();
}
