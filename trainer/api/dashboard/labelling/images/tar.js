// Packs files into a tar, which needs no checksum of their contents: they are read as it is sent.

const BLOCK = 512;
const encode = (text) => new TextEncoder().encode(text);

/** A tar of [{file, name}] as a Blob. */
export function tarOf(files) {
  const parts = files.flatMap(({ file, name }) => [...headers(name, file.size), file, padding(file.size)]);
  return new Blob([...parts, new Uint8Array(2 * BLOCK)], { type: "application/x-tar" });
}

/** A name longer than its field stands in an entry of its own before the file (GNU's way). */
function headers(name, size) {
  const bytes = encode(name);
  if (bytes.length <= 100) return [header(bytes, size, "0")];
  const long = [header(encode("././@LongLink"), bytes.length + 1, "L"), bytes, padding(bytes.length + 1, 1)];
  return [...long, header(bytes.slice(0, 100), size, "0")];
}

function header(name, size, kind) {
  const block = new Uint8Array(BLOCK);
  const put = (text, at) => block.set(encode(text), at);
  block.set(name, 0);
  put("0000644\0", 100);
  put(`${size.toString(8).padStart(11, "0")}\0`, 124);
  put(`${"0".repeat(11)}\0`, 136);
  put("        ", 148); // the sum is made with blanks in its place
  put(kind, 156);
  put("ustar  \0", 257);
  const sum = block.reduce((all, byte) => all + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** What fills the last block; more: zeros before it that belong to the content. */
const padding = (size, more = 0) => new Uint8Array(more + ((BLOCK - (size % BLOCK)) % BLOCK));
