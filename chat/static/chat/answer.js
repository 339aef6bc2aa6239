// One answer on the page: follows its generation from where it is, and shows what becomes of it.

import { copyButton, draw } from "./text.js";
import { element, say } from "./words.js";

export const OPEN = new Set(["queued", "running"]);

export class Answer {
  cursor = "0-0";
  #text;
  #said;
  #frame = 0;

  // `page`: {grew(), ended(answer), again(answer)}
  constructor(article, page) {
    this.article = article;
    this.page = page;
    this.generation = article.dataset.generation ?? "";
    this.status = article.dataset.status ?? "done";
    this.#said = article.querySelector(".said");
    this.#text = OPEN.has(this.status) ? "" : this.#said.textContent;
    if (OPEN.has(this.status)) this.#wait();
    else this.#finish(article.dataset.finish, article.dataset.error);
  }

  static make(id, generation, page) {
    const heading = element("h2", { class: "hidden" }, say("jarvis"));
    const said = element("div", { class: "said" });
    const data = { "data-message": id, "data-generation": generation, "data-status": "queued" };
    return new Answer(element("article", { class: "message assistant", ...data }, heading, said), page);
  }

  get isOpen() {
    return OPEN.has(this.status);
  }

  get text() {
    return this.#text;
  }

  hear(frame) {
    if (frame.type === "begin") {
      this.#status("running");
      if (frame.clear) this.#text = "";
      this.#change();
    } else if (frame.type === "delta") {
      this.cursor = frame.cursor;
      this.#text += frame.text;
      this.#change();
    } else if (frame.type === "end") {
      this.cursor = frame.cursor;
      this.#status(frame.status);
      cancelAnimationFrame(this.#frame);
      this.#frame = 0;
      this.#finish(frame.finish_reason, frame.error?.message);
      this.page.ended(this);
    }
  }

  #status(status) {
    this.status = this.article.dataset.status = status;
  }

  // At most one drawing for each picture that the screen shows.
  #change() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (!this.isOpen) return;
      if (this.#text) draw(this.#said, this.#text);
      else this.#wait();
      this.page.grew();
    });
  }

  #wait() {
    const words = say(this.status === "queued" ? "queued" : "thinking");
    this.#said.replaceChildren(element("span", { class: "wait" }, element("i", { "aria-hidden": "true" }), words));
  }

  #finish(reason, fault) {
    if (this.#text) draw(this.#said, this.#text);
    else this.#said.replaceChildren();
    this.article.querySelectorAll(".fate, .tools").forEach((old) => old.remove());
    const note = this.#note(reason, fault);
    if (note) this.article.append(note);
    if (this.#text) this.article.append(element("div", { class: "tools" }, ...copyButton(() => this.#text)));
  }

  #note(reason, fault) {
    if (this.status === "failed") {
      const again = element("button", { type: "button", onclick: () => this.page.again(this) }, say("ask_again"));
      return element("p", { class: "fate fault" }, say("failed_note", { message: fault ?? "" }), again);
    }
    if (this.status === "stopped") return element("p", { class: "fate" }, say("stopped_note"));
    if (reason === "length") return element("p", { class: "fate" }, say("cut_note"));
    if (!this.#text) return element("p", { class: "fate" }, say("empty_note"));
    return null;
  }
}
