// The field for questions, its buttons, and a draft for each conversation, which outlives the tab.

import { Field } from "./field.js";

const DRAFTS = `jarvis.draft.${document.body.dataset.user}.`;

export class Composer {
  #field;
  #send = document.getElementById("send");
  #stop = document.getElementById("stop");
  #ask;

  // `ask(text)` is called with a question, `stop()` when the answer is to stop.
  constructor(ask, stop) {
    this.#ask = ask;
    const area = document.getElementById("text");
    this.#field = new Field(area, document.getElementById("count"), () => this.#changed(), () => this.submit());
    document.getElementById("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.#stop.addEventListener("click", () => {
      stop();
      this.focus();
    });
    // What is signed out leaves nothing that was not sent.
    document.querySelector(".sidebar-foot form")?.addEventListener("submit", forgetDrafts);
    this.#field.text = localStorage.getItem(this.#draft) ?? area.value;
    this.#changed();
  }

  get #draft() {
    return DRAFTS + document.body.dataset.conversation;
  }

  get text() {
    return this.#field.text;
  }

  submit() {
    if (this.#send.disabled) return;
    const { text } = this.#field;
    this.fill("");
    this.#ask(text);
  }

  fill(text) {
    this.#field.text = text;
    this.#changed();
    this.#field.area.focus({ preventScroll: true });
  }

  focus() {
    this.#field.area.focus();
  }

  growing(is) {
    this.#stop.hidden = !is;
  }

  #changed() {
    const { text } = this.#field;
    this.#send.disabled = !this.#field.sendable;
    if (text) localStorage.setItem(this.#draft, text);
    else localStorage.removeItem(this.#draft);
  }
}

function forgetDrafts() {
  for (const key of Object.keys(localStorage)) if (key.startsWith("jarvis.draft.")) localStorage.removeItem(key);
}
