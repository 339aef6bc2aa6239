// Draws plain text with a little Markdown: fences, lists, headings, quotes, bold, code, links.
// Everything goes through text nodes, so nothing that a model writes can become markup.

import { element, say } from "./words.js";

const FENCE = /^ {0,3}(```+|~~~+)\s*([\w+#.-]*)/;
const ITEM = /^ {0,3}(?:([-*+])|(\d{1,4})[.)])\s+/;
const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*|\*([^\s*](?:[^*\n]*[^\s*])?)\*|\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>"')\]]*[^\s<>"')\].,;:!?])/g;

// Splits a text into blocks {kind, lines, …}. A block that is followed by another never changes as the text grows.
export function blocks(text) {
  const found = [];
  let open = null;
  for (const line of text.split("\n")) {
    if (open?.kind === "fence") {
      if (line.trim() === open.mark) open = null;
      else open.lines.push(line);
      continue;
    }
    const fence = FENCE.exec(line);
    if (fence) {
      found.push((open = { kind: "fence", mark: fence[1], language: fence[2], lines: [] }));
      continue;
    }
    if (!line.trim()) {
      open = null;
      continue;
    }
    const kind = /^#{1,6}\s/.test(line) ? "heading" : /^>\s?/.test(line) ? "quote" : listKind(line);
    const goesOn = open && open.kind !== "heading" && (kind === open.kind || kind === "paragraph");
    if (goesOn) open.lines.push(line);
    else found.push((open = { kind, lines: [line] }));
  }
  return found;
}

function listKind(line) {
  const item = ITEM.exec(line);
  return item ? (item[1] ? "bullets" : "numbers") : "paragraph";
}

// Draws the text into an element, and touches only the blocks that are not as they were.
export function draw(target, text) {
  const wanted = blocks(text);
  target.classList.add("drawn");
  wanted.forEach((block, index) => {
    const source = `${block.kind} ${block.language ?? ""}\n${block.lines.join("\n")}`;
    const present = target.children[index];
    if (present?.source === source) return;
    if (block.kind === "fence" && present?.code && present.language === block.language) {
      present.code.textContent = block.lines.join("\n");
      present.source = source;
      return;
    }
    const made = drawn(block);
    made.source = source;
    if (present) present.replaceWith(made);
    else target.append(made);
  });
  while (target.childNodes.length > target.children.length) [...target.childNodes].find((n) => n.nodeType !== 1).remove();
  while (target.children.length > wanted.length) target.lastElementChild.remove();
}

function drawn(block) {
  switch (block.kind) {
    case "fence":
      return fence(block);
    case "heading":
      return element("h3", {}, ...inline(block.lines[0].replace(/^#+\s+/, "")));
    case "quote":
      return element("blockquote", {}, ...lines(block.lines.map((line) => line.replace(/^>\s?/, ""))));
    case "bullets":
    case "numbers":
      return list(block);
    default:
      return element("p", {}, ...lines(block.lines));
  }
}

function fence(block) {
  const code = element("code", {}, block.lines.join("\n"));
  const header = element("header", {}, block.language || "", ...copyButton(() => code.textContent));
  const made = element("div", { class: "code" }, header);
  made.append(element("pre", { tabindex: "0" }, code));
  made.code = code;
  made.language = block.language;
  return made;
}

// A button that copies, where the browser lets a page do that.
export function copyButton(text) {
  if (!navigator.clipboard) return [];
  const button = element("button", { type: "button", class: "quiet" }, say("copy"));
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = say("copied");
    setTimeout(() => (button.textContent = say("copy")), 1500);
  });
  return [button];
}

function list(block) {
  const items = [];
  for (const line of block.lines) {
    const item = ITEM.exec(line);
    if (item) items.push([line.slice(item[0].length)]);
    else items.at(-1).push(line.trim());
  }
  const first = ITEM.exec(block.lines[0])[2];
  const made = element(block.kind === "bullets" ? "ul" : "ol", first && first !== "1" ? { start: first } : {});
  made.append(...items.map((item) => element("li", {}, ...lines(item))));
  return made;
}

function lines(texts) {
  return texts.flatMap((text, index) => (index ? [element("br"), ...inline(text)] : inline(text)));
}

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > end) nodes.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    const [whole, code, bold, slanted, label, address, bare] = match;
    if (code !== undefined) nodes.push(element("code", {}, code));
    else if (bold !== undefined) nodes.push(element("strong", {}, bold));
    else if (slanted !== undefined) nodes.push(element("em", {}, slanted));
    else nodes.push(element("a", { href: address ?? bare, target: "_blank", rel: "noopener noreferrer nofollow" }, label ?? whole));
  }
  if (end < text.length) nodes.push(text.slice(end));
  return nodes;
}
