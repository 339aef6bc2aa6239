// The field for questions: grows, counts, sends with Enter, keeps a draft for each conversation.

import { say } from "./words.js";

const WARN = 200; // characters left at which the count is shown

export class Composer {
  #form = document.getElementById("composer");
  #field = document.getElementById("text");
  #send = document.getElementById("send");
  #stop = document.getElementById("stop");
  #count = document.getElementById("count");
  #limit = Number(document.body.dataset.maxChars);
  #ask;

  // `ask(text)` is called with a question, `stop()` when the answer is to stop.
  constructor(ask, stop) {
    this.#ask = ask;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.#stop.addEventListener("click", () => {
      stop();
      this.#field.focus();
    });
    this.#field.value = sessionStorage.getItem(this.#draft) ?? this.#field.value;
    this.#changed();
  }

  get model() {
    return document.getElementById("model")?.value;
  }

  get #draft() {
    return `jarvis.draft.${document.body.dataset.conversation}`;
  }

  submit() {
    if (this.#send.disabled) return;
    const text = this.#field.value;
    this.fill("");
    this.#ask(text);
  }

  fill(text) {
    this.#field.value = text;
    this.#changed();
    this.#field.focus({ preventScroll: true });
  }

  focus() {
    this.#field.focus();
  }

  growing(is) {
    this.#stop.hidden = !is;
  }

  #changed() {
    const text = this.#field.value;
    const left = this.#limit - [...text].length; // characters as the server counts them
    this.#send.disabled = !text.trim() || left < 0;
    this.#count.textContent = left < 0 ? say("over", { count: -left }) : left <= WARN ? say("left", { count: left }) : "";
    this.#count.toggleAttribute("data-over", left < 0);
    if (text) sessionStorage.setItem(this.#draft, text);
    else sessionStorage.removeItem(this.#draft);
    if (!CSS.supports("field-sizing", "content")) {
      this.#field.rows = Math.min(10, text.split("\n").length);
    }
  }
}
