// The text of one answer, in blocks of HTML that the server has rendered and sanitised. A finished block is put in
// once and never touched again; only the open one, the last, is replaced while it grows.

import { addBlockTools } from "./blocktools.js";
import { element } from "./dom.js";

// Where words that are not rendered yet go: the innermost of these at the end of the open block.
const TEXT_PLACES = "p, ul, ol, li, blockquote, .code, pre, pre > code, h3, h4, h5, h6";

export class Blocks {
  #box;
  #finished = []; // {html, nodes}
  #open = element("div", { class: "open" });

  constructor(box) {
    this.#box = box;
  }

  apply({ first = 0, blocks = [], open, tail = "" }) {
    if (!this.#open.isConnected) this.#box.replaceChildren(this.#open);
    blocks.forEach((html, index) => this.#setBlock(first + index, html));
    if (open !== undefined) this.#truncate(first + blocks.length);
    if (open !== undefined || blocks.length) this.#open.innerHTML = open ?? "";
    if (tail) this.#appendText(tail);
  }

  clear() {
    this.#truncate(0);
    this.#open.replaceChildren();
  }

  // Nothing more comes.
  finish() {
    this.#open.remove();
  }

  #setBlock(index, html) {
    if (this.#finished[index]?.html === html) return; // told again, after the connection was lost
    this.#truncate(index);
    const parsed = document.createElement("template");
    parsed.innerHTML = html;
    const { content } = parsed;
    addBlockTools(content);
    this.#finished.push({ html, nodes: [...content.childNodes] });
    this.#open.before(content);
  }

  #truncate(length) {
    for (const { nodes } of this.#finished.splice(length)) nodes.forEach((node) => node.remove());
  }

  #appendText(text) {
    let place = this.#open;
    while (place.lastElementChild?.matches(TEXT_PLACES)) place = place.lastElementChild;
    if (place.lastChild?.nodeType === Node.TEXT_NODE) place.lastChild.appendData(text);
    else place.append(text);
  }
}
