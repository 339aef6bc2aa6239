// The text of one answer, in blocks of HTML that the server has rendered and sanitised. A finished block is put in
// once and never touched again; only the open one, the last, is replaced while it grows.

import { copyButton } from "./copy.js";
import { element } from "./words.js";

// Where words that are not rendered yet go: the innermost of these at the end of the open block.
const INTO = "p, ul, ol, li, blockquote, .code, pre, pre > code, h3, h4, h5, h6";

export class Rendered {
  #box;
  #blocks = []; // {html, nodes}
  #open = element("div", { class: "open" });

  constructor(box) {
    this.#box = box;
  }

  show({ first = 0, blocks = [], open, tail = "" }) {
    if (!this.#open.isConnected) this.#box.replaceChildren(this.#open);
    blocks.forEach((html, index) => this.#put(first + index, html));
    if (open !== undefined) this.#cut(first + blocks.length);
    if (open !== undefined || blocks.length) this.#open.innerHTML = open ?? "";
    if (tail) this.#add(tail);
  }

  clear() {
    this.#cut(0);
    this.#open.replaceChildren();
  }

  // Nothing more comes.
  close() {
    this.#open.remove();
  }

  #put(index, html) {
    if (this.#blocks[index]?.html === html) return; // told again, after the connection was lost
    this.#cut(index);
    const parsed = document.createElement("template");
    parsed.innerHTML = html;
    const { content } = parsed;
    adorn(content);
    this.#blocks.push({ html, nodes: [...content.childNodes] });
    this.#open.before(content);
  }

  #cut(length) {
    for (const { nodes } of this.#blocks.splice(length)) nodes.forEach((node) => node.remove());
  }

  #add(text) {
    let place = this.#open;
    while (place.lastElementChild?.matches(INTO)) place = place.lastElementChild;
    if (place.lastChild?.nodeType === Node.TEXT_NODE) place.lastChild.appendData(text);
    else place.append(text);
  }
}

// Gives each block of code its button.
export function adorn(root) {
  for (const head of root.querySelectorAll(".code > .head:not(:has(button))")) {
    head.append(...copyButton(() => head.nextElementSibling.textContent));
  }
}

// What somebody hears who does not see the page.
export function spoken(box) {
  const copy = box.cloneNode(true);
  copy.querySelectorAll(".head, .back").forEach((node) => node.remove());
  return copy.textContent.trim();
}
