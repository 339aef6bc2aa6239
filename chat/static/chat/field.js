// A field for text that may have so many characters: grows, counts, and sends with Enter.

import { say } from "./words.js";

const WARN = 200; // characters left at which the count is shown

export class Field {
  #limit = Number(document.body.dataset.maxChars);
  #count;

  // `changed()` is called after each change, `submit()` with Enter.
  constructor(area, count, changed, submit) {
    this.area = area;
    this.#count = count;
    area.addEventListener("input", () => {
      this.look();
      changed();
    });
    area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      submit();
    });
  }

  get text() {
    return this.area.value;
  }

  set text(text) {
    this.area.value = text;
    this.look();
  }

  get left() {
    return this.#limit - [...this.text].length; // characters as the server counts them
  }

  get sendable() {
    return Boolean(this.text.trim()) && this.left >= 0;
  }

  look() {
    const { left } = this;
    this.#count.textContent = left < 0 ? say("over", { count: -left }) : left <= WARN ? say("left", { count: left }) : "";
    this.#count.toggleAttribute("data-over", left < 0);
    this.area.toggleAttribute("aria-invalid", left < 0);
    if (!CSS.supports("field-sizing", "content")) this.area.rows = Math.min(10, this.text.split("\n").length);
  }
}
