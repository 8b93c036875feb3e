// Images that are shown several times, or soon: fetched once, with the key.

import { respond } from "../lib/api.js";

const MOST = 200;
const SIZE = 800; // pixels of the longer side

/** show(element <img>, image of a dataset): fills it as soon as the image is here. */
export function imageCache(signal) {
  const urls = new Map();
  const fetched = async (path) => URL.createObjectURL(await (await respond(path, { signal })).blob());
  const revoke = (url) => url.then(URL.revokeObjectURL, () => {});
  const urlOf = (image) => {
    const url = urls.get(image.id) ?? fetched(`${image.image}?size=${SIZE}`);
    urls.delete(image.id);
    urls.set(image.id, url); // the one used last is the last to go
    if (urls.size > MOST) {
      const [oldest, old] = urls.entries().next().value;
      urls.delete(oldest);
      revoke(old);
    }
    return url;
  };
  signal.addEventListener("abort", () => urls.forEach(revoke));
  return {
    show(element, image) {
      element.dataset.image = image.id;
      const fill = (url) => element.dataset.image === image.id && (element.src = url);
      urlOf(image).then(fill, () => {
        urls.delete(image.id);
        if (!signal.aborted && element.dataset.image === image.id) element.removeAttribute("src");
      });
    },
  };
}
