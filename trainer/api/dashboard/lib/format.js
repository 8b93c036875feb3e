// Numbers, times and sizes in words.

/** 0.9812 → "98.1 %"; null → "–". */
export function percent(share) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)} %`;
}

/** 1234567 → "1.2 MB". */
export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB"];
  const power = count < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/** 1, "image" → "1 image"; 2000, "image" → "2,000 images". */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** 75 → "1 min 15 s". */
export function duration(seconds) {
  const all = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor((all % 3600) / 60), all % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
}

/** 75 → "about a minute left": what a person wants to know, steady while it counts down. */
export function timeLeft(seconds) {
  if (seconds < 10) return "a few seconds left";
  if (seconds < 50) return `about ${Math.round(seconds / 10) * 10} seconds left`;
  const minutes = Math.round(seconds / 60);
  if (minutes <= 1) return "about a minute left";
  if (minutes < 90) return `about ${minutes} minutes left`;
  return `about ${Math.round(minutes / 60)} hours left`;
}

/** An ISO time as a <time>-ready pair: [iso, "22 Nov 2026, 18:05"] in the visitor's zone. */
export function moment(iso) {
  const options = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hour12: false };
  return new Date(iso).toLocaleString("en-GB", options);
}

/** An ISO time as "5 minutes ago"; older than a day: the date. */
export function ago(iso) {
  const seconds = (Date.now() - new Date(iso)) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${count(Math.floor(seconds / 60), "minute")} ago`;
  if (seconds < 86400) return `${count(Math.floor(seconds / 3600), "hour")} ago`;
  return moment(iso);
}

/** Characters side by side, a mark that combines with a letter on a dotted circle. */
export function spelled(characters) {
  return [...characters].map((one) => (/\p{M}/u.test(one) ? `\u25cc${one}` : one)).join(" ");
}
