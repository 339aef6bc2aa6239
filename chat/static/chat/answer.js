// One answer on the page: follows its generation to its end, and shows what becomes of it.

import { copyButton } from "./copy.js";
import { adorn, Rendered, spoken } from "./rendered.js";
import { element, say, textButton } from "./words.js";

export const OPEN = new Set(["queued", "running"]);

export class Answer {
  #said;
  #rendered;
  #started = false; // some of its text is shown
  #place = ""; // in the queue, in words

  // `page`: {grew(), ended(answer), again(answer)}
  constructor(article, page) {
    this.article = article;
    this.page = page;
    this.generation = article.dataset.generation ?? "";
    this.status = article.dataset.status ?? "done";
    this.#said = article.querySelector(".said");
    this.#rendered = new Rendered(this.#said);
    if (OPEN.has(this.status)) this.#wait();
    else this.#finish(article.dataset.finish, article.dataset.error);
  }

  static make(id, generation, page) {
    const heading = element("h2", { class: "hidden" }, say("jarvis"));
    const said = element("div", { class: "said rendered" });
    const data = { "data-message": id, "data-generation": generation, "data-status": "queued" };
    return new Answer(element("article", { class: "message assistant", ...data }, heading, said), page);
  }

  get isOpen() {
    return OPEN.has(this.status);
  }

  get text() {
    return spoken(this.#said);
  }

  hear(frame) {
    if (frame.type === "begin") {
      this.#status("running");
      if (frame.clear) this.#started = false;
      if (frame.clear) this.#rendered.clear();
      if (!this.#started) this.#wait();
    } else if (frame.type === "html") {
      if (!this.#started && !frame.blocks && !frame.open && !frame.tail) return;
      this.#started = true;
      this.#rendered.show(frame);
    } else if (frame.type === "queue") {
      this.#place = placeOf(frame);
      if (!this.#started) this.#wait();
    } else if (frame.type === "end") {
      this.#status(frame.status);
      this.article.dataset.finish = frame.finish_reason;
      this.#rendered.close();
      if (!this.#started) this.#said.replaceChildren();
      this.#finish(frame.finish_reason, frame.error?.message);
      this.page.ended(this);
    }
    this.page.grew();
  }

  #status(status) {
    this.status = this.article.dataset.status = status;
  }

  #wait() {
    const words = this.status === "queued" ? this.#place || say("queued") : say("thinking");
    this.#said.replaceChildren(element("span", { class: "wait" }, element("i", { "aria-hidden": "true" }), words));
  }

  #finish(reason, fault) {
    adorn(this.#said);
    this.article.querySelectorAll(".fate, .tools").forEach((old) => old.remove());
    const note = this.#note(reason, fault);
    if (note) this.article.append(note);
    if (!this.#isEmpty) this.article.append(element("div", { class: "tools" }, ...copyButton(() => this.#source())));
  }

  get #isEmpty() {
    return !this.#said.textContent.trim() && !this.#said.querySelector("img");
  }

  // The answer as the model wrote it.
  async #source() {
    const { home, conversation } = document.body.dataset;
    const reply = await fetch(`${home}c/${conversation}/messages/${this.article.dataset.message}/source/`);
    if (!reply.ok || reply.redirected) throw new Error(`source: ${reply.status}`);
    return reply.text();
  }

  #note(reason, fault) {
    if (this.status === "failed") {
      const again = textButton(say("ask_again"), () => this.page.again(this));
      return element("p", { class: "fate fault" }, say("failed_note", { message: fault ?? "" }), again);
    }
    if (this.status === "stopped") return element("p", { class: "fate" }, say("stopped_note"));
    if (reason === "length") return element("p", { class: "fate" }, say("cut_note"));
    if (this.#isEmpty) return element("p", { class: "fate" }, say("empty_note"));
    return null;
  }
}

function placeOf({ position, wait_seconds: wait }) {
  const place = position > 1 ? say("place", { position }) : say("next");
  if (!wait) return place;
  const about = wait < 90 ? say("about_seconds", { number: wait }) : say("about_minutes", { number: Math.round(wait / 60) });
  return `${place} · ${about}`;
}
