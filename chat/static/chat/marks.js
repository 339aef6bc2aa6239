// Words that a search has found, marked in an opened message. The server says which, as they stand there; they are
// painted over the text, which stays as it is for copying, also where colours of code cut a word in pieces.

const NEAR = "\\p{L}\\p{N}\\p{M}";
// A word does not begin or end within another, but where a capital or a digit begins a part of it.
const BEGINS = `(?:(?<![${NEAR}])|(?<=\\p{Ll})(?=\\p{Lu})|(?<=\\p{L})(?=\\p{N})|(?<=\\p{N})(?=\\p{L})|(?=\\p{Lo})|(?=[^${NEAR}]))`;
const ENDS = `(?:(?![${NEAR}])|(?<=\\p{Ll})(?=\\p{Lu})|(?<=\\p{L})(?=\\p{N})|(?<=\\p{N})(?=\\p{L})|(?<=[\\p{Lo}\\p{M}])|(?<=[^${NEAR}]))`;
const MAX_RANGES = 1000;

const escape = (text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
const findPlaces = (text, word) => [...text.matchAll(new RegExp(BEGINS + escape(word) + ENDS, "gu"))].map(({ index }) => [index, index + word.length]);

// Paints `words` in an element, and how many places that were.
export function markWords(root, words) {
  if (!root || !globalThis.Highlight || !CSS.highlights) return 0; // an older browser shows the message without
  const nodes = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  let text = "";
  while (walker.nextNode()) {
    nodes.push([text.length, walker.currentNode]);
    text += walker.currentNode.data;
  }
  const places = words.flatMap((word) => {
    const whole = findPlaces(text, word);
    return whole.length ? whole : word.split(/\s+/).flatMap((piece) => findPlaces(text, piece)); // lines are broken otherwise here
  });
  const ranges = places.slice(0, MAX_RANGES).map(([start, end]) => makeRange(nodes, start, end));
  CSS.highlights.set("found", new Highlight(...ranges));
  return ranges.length;
}

function makeRange(nodes, start, end) {
  const range = new Range();
  const from = nodes.findLast(([offset]) => offset <= start);
  const to = nodes.findLast(([offset]) => offset < end);
  range.setStart(from[1], start - from[0]);
  range.setEnd(to[1], end - to[0]);
  return range;
}
