// A field for text that may have so many characters: grows, counts, and sends with Enter.

import { data, on, say } from "./dom.js";

const WARN_CHARS = 200; // so many are left when the count is shown

export class Field {
  #limit = Number(data.maxChars);
  #count;

  // `changed()` is called after each change, `submit()` with Enter.
  constructor(area, count, changed, submit) {
    this.area = area;
    this.#count = count;
    on(area, "input", () => {
      this.update();
      changed();
    });
    on(area, "keydown", (event) => {
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
    this.update();
  }

  get left() {
    return this.#limit - [...this.text].length; // characters as the server counts them
  }

  get canSend() {
    return Boolean(this.text.trim()) && this.left >= 0;
  }

  update() {
    const { left } = this;
    this.#count.textContent = left < 0 ? say("over", { count: -left }) : left <= WARN_CHARS ? say("left", { count: left }) : "";
    this.#count.toggleAttribute("data-over", left < 0);
    this.area.toggleAttribute("aria-invalid", left < 0);
    if (!CSS.supports("field-sizing", "content")) this.area.rows = Math.min(10, this.text.split("\n").length);
  }
}
