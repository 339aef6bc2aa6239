// The field for questions, its buttons, and a draft for each conversation, which outlives the tab.

import { byId, data, on, onSubmit } from "./dom.js";
import { Field } from "./field.js";

const DRAFT_KEY = `jarvis.draft.${data.user}.`;

export class Composer {
  #field;
  #send = byId("send");
  #stop = byId("stop");
  #wait = byId("wait");
  #ask;

  // `ask(text)` is called with a question, `stop()` when the answer is to stop.
  constructor(ask, stop) {
    this.#ask = ask;
    const area = byId("text");
    this.#field = new Field(area, byId("count"), () => this.#update(), () => this.submit());
    onSubmit(byId("composer"), () => this.submit());
    on(this.#stop, "click", () => {
      stop();
      this.focus();
    });
    this.#takeDrops();
    // What is signed out leaves nothing that was not sent.
    document.querySelector(".sidebar-foot form")?.addEventListener("submit", forgetDrafts);
    this.#field.text = localStorage.getItem(this.#draft) ?? area.value;
    this.#update();
  }

  get #draft() {
    return DRAFT_KEY + data.conversation;
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
    this.#update();
    this.#field.area.focus({ preventScroll: true });
  }

  focus() {
    this.#field.area.focus();
  }

  // Before what is typed, which stays.
  prepend(text) {
    this.fill([text, this.text].filter(Boolean).join("\n\n"));
  }

  // What was typed in a chat that had no address goes with it.
  moveDraft(conversation) {
    localStorage.removeItem(this.#draft);
    data.conversation = conversation;
    this.#update();
  }

  // Why a question is not sent yet; nothing hides the line.
  showWait(words) {
    this.#wait.textContent = words;
    this.#wait.hidden = !words;
  }

  showStop(isOpen) {
    this.#stop.hidden = !isOpen;
  }

  // Files may fall anywhere on the page: the browser would leave it for them.
  #takeDrops() {
    const mark = (is) => document.body.classList.toggle("dropping", is);
    const isFile = ({ dataTransfer }) => dataTransfer?.types.includes("Files") && !document.querySelector("dialog[open]");
    on(window, "dragover", (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      mark(true);
    });
    on(window, "dragleave", ({ relatedTarget }) => relatedTarget || mark(false));
    on(window, "drop", (event) => {
      mark(false);
      if (!isFile(event)) return;
      event.preventDefault();
      this.#field.takeFiles([...event.dataTransfer.files]);
    });
  }

  #update() {
    const { text } = this.#field;
    this.#send.disabled = !this.#field.canSend;
    if (text) localStorage.setItem(this.#draft, text);
    else localStorage.removeItem(this.#draft);
  }
}

function forgetDrafts() {
  for (const key of Object.keys(localStorage)) if (key.startsWith("jarvis.draft.")) localStorage.removeItem(key);
}
