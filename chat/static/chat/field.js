// A field for text that may have so many characters: grows, counts, sends with Enter, and takes files of text.

import { data, formatNumber, isComposing, on, say, textButton } from "./dom.js";

const WARN_CHARS = 200; // so many are left when the count is shown

// Loaded by those who bring files.
const readFiles = async (...given) => (await import("./files.js")).readFiles(...given);

export class Field {
  #limit = Number(data.maxChars);
  #count;
  #cut;
  #changed;

  // `changed()` is called after each change, `submit()` with Enter.
  constructor(area, count, changed, submit) {
    this.area = area;
    this.#count = count;
    this.#changed = changed;
    this.#cut = textButton(say("cut", { limit: formatNumber(this.#limit) }), () => this.#keepBeginning());
    this.#cut.className = "quiet cut";
    this.#cut.hidden = true;
    count.after(this.#cut);
    on(area, "input", () => this.#handleChange());
    on(area, "keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
      event.preventDefault();
      submit();
    });
    on(area, "paste", (event) => {
      const { clipboardData: pasted } = event;
      if (!pasted.files.length || pasted.getData("text/plain")) return;
      event.preventDefault();
      this.takeFiles([...pasted.files]);
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
    const count = formatNumber(Math.abs(left));
    const limit = formatNumber(this.#limit);
    this.#count.textContent = left < 0 ? say("over", { count, limit }) : left <= WARN_CHARS ? say("left", { count }) : "";
    this.#count.toggleAttribute("data-over", left < 0);
    this.#cut.hidden = left >= 0;
    this.area.toggleAttribute("aria-invalid", left < 0);
    if (!CSS.supports("field-sizing", "content")) this.area.rows = Math.min(10, this.text.split("\n").length);
  }

  // Puts in at the cursor what files say, and tells of those that say nothing.
  async takeFiles(files) {
    const { text, words } = await readFiles(files, this.left, this.#limit).catch(() => ({ words: say("no_answer") }));
    if (text) this.#insert(text);
    if (words) this.#count.textContent = words;
  }

  #handleChange() {
    this.update();
    this.#changed();
  }

  // As if it were typed, so that it can be undone.
  #insert(text) {
    this.area.focus();
    if (document.execCommand("insertText", false, text)) return;
    this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
    this.#handleChange();
  }

  #keepBeginning() {
    const kept = [...this.text].slice(0, this.#limit).join("");
    this.area.focus();
    this.area.setSelectionRange(kept.length, this.text.length);
    if (!document.execCommand("delete")) this.text = kept;
    this.#handleChange();
  }
}
