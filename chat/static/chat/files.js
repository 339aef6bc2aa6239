// Files that are dropped on a field or pasted into it: what is text becomes text, the rest is named.

import { formatNumber, say } from "./dom.js";

const MAX_BYTES_PER_CHAR = 4;
const CONTROL = /[\0-\x08\x0e-\x1a\x1c-\x1f]/; // no text has these, but for a stray form feed or escape
const UTF_16 = { "255,254": "utf-16le", "254,255": "utf-16be" }; // by the mark at the beginning

// {text, words}: the text of files, as a question has it, of at most so many characters; and what is to be said of them.
export async function readFiles(files, room, limit) {
  let text = "";
  let words = "";
  for (const file of files) {
    const { name } = file;
    if (file.type.startsWith("image/")) {
      words ||= say("no_pictures");
      continue;
    }
    const read = await readText(file, limit).catch(() => null);
    if (read === null) words ||= say("unreadable_file", { name });
    else if (read === undefined) words ||= say("no_text_file", { name });
    else if (!read.trim()) words ||= say("empty_file", { name });
    else {
      const left = room - [...text].length;
      const piece = quoteFile(name, read, left);
      if (piece.isCut) words ||= say("file_cut", { name, limit: formatNumber(limit) });
      text += piece.text;
    }
  }
  return { text, words };
}

// Undefined where the file is not text. Not more is read than may be asked.
async function readText(file, limit) {
  const bytes = new Uint8Array(await file.slice(0, (limit + 1) * MAX_BYTES_PER_CHAR).arrayBuffer());
  const marked = UTF_16[String(bytes.slice(0, 2))];
  const stream = bytes.length < file.size; // the last character may not be whole
  let text;
  try {
    text = new TextDecoder(marked ?? "utf-8", { fatal: true }).decode(bytes, { stream });
  } catch {
    text = new TextDecoder("windows-1252").decode(bytes); // as old programs write
  }
  return CONTROL.test(text) ? undefined : text.replace(/\r\n?/g, "\n");
}

// With its name, in a fence that nothing in it ends.
function quoteFile(name, whole, room) {
  const longest = Math.max(2, ...(whole.match(/`+/g) ?? []).map((ticks) => ticks.length));
  const fence = "`".repeat(longest + 1);
  const [, ending = ""] = /\.(\w{1,12})$/.exec(name) ?? [];
  const wrap = (text) => `${name}\n${fence}${ending}\n${text}\n${fence}\n`;
  const chars = [...whole.trimEnd()];
  const fits = Math.max(0, room - [...wrap("")].length);
  return { text: wrap(chars.slice(0, fits).join("")), isCut: chars.length > fits };
}
