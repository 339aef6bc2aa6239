// One answer on the page: follows its generation to its end, and shows what becomes of it.

import { addBlockTools, cleanHtml, readableText } from "./blocktools.js";
import { Blocks } from "./blocks.js";
import { copyButton } from "./copy.js";
import { data, element, findAll, say, sayError, textButton } from "./dom.js";

export const OPEN_STATUSES = new Set(["queued", "running"]);

export class Answer {
  #text;
  #blocks;
  #hasText = false; // some of its text is shown
  #position = ""; // in the queue, in words
  #isBehind = false; // another answer grows before it

  // `page`: {onChange(), onBegin(), onEnd(answer), onRetry(answer)}
  constructor(article, page) {
    this.article = article;
    this.page = page;
    this.generation = article.dataset.generation ?? "";
    this.status = article.dataset.status ?? "done";
    this.#text = article.querySelector(".said");
    this.#blocks = new Blocks(this.#text);
    if (OPEN_STATUSES.has(this.status)) this.#showWaiting();
    else this.#showEnd(article.dataset.finish, article.dataset.error);
  }

  static create(id, generation, page) {
    const heading = element("h2", { class: "hidden" }, say("jarvis"));
    const said = element("div", { class: "said rendered" });
    const attributes = { "data-message": id, "data-generation": generation, "data-status": "queued" };
    return new Answer(element("article", { class: "message assistant", ...attributes }, heading, said), page);
  }

  get isOpen() {
    return OPEN_STATUSES.has(this.status);
  }

  get text() {
    return readableText(this.#text);
  }

  setBehind(is) {
    if (is === this.#isBehind) return;
    this.#isBehind = is;
    if (!this.#hasText && this.isOpen) this.#showWaiting();
  }

  applyFrame(frame) {
    if (frame.type === "begin") {
      this.#setStatus("running");
      if (frame.clear) this.#hasText = false;
      if (frame.clear) this.#blocks.clear();
      if (!this.#hasText) this.#showWaiting();
      this.page.onBegin();
    } else if (frame.type === "html") {
      if (!this.#hasText && !frame.blocks && !frame.open && !frame.tail) return;
      this.#hasText = true;
      this.#blocks.apply(frame);
    } else if (frame.type === "queue") {
      this.#position = describePosition(frame);
      if (!this.#hasText) this.#showWaiting();
    } else if (frame.type === "end") {
      this.#setStatus(frame.status);
      this.article.dataset.finish = frame.finish_reason;
      this.#blocks.finish();
      if (!this.#hasText) this.#text.replaceChildren();
      this.#showEnd(frame.finish_reason, frame.error?.code);
      this.page.onEnd(this);
    }
    this.page.onChange();
  }

  #setStatus(status) {
    this.status = this.article.dataset.status = status;
  }

  #showWaiting() {
    const words = this.status !== "queued" ? say("thinking") : this.#isBehind ? say("behind") : this.#position || say("queued");
    this.#text.replaceChildren(element("span", { class: "wait" }, element("i", { "aria-hidden": "true" }), words));
  }

  #showEnd(reason, error) {
    addBlockTools(this.#text);
    findAll(".fate, .tools", this.article).forEach((old) => old.remove());
    const note = this.#createNote(reason, error);
    if (note) this.article.append(note);
    if (this.#isEmpty) return;
    const copy = copyButton(() => this.#fetchSource(), { html: () => cleanHtml(this.#text) });
    this.article.append(element("div", { class: "tools" }, copy));
  }

  get #isEmpty() {
    return !this.#text.textContent.trim() && !this.#text.querySelector("img");
  }

  // The answer as the model wrote it.
  async #fetchSource() {
    const { home, conversation } = data;
    const reply = await fetch(`${home}c/${conversation}/messages/${this.article.dataset.message}/source/`);
    if (!reply.ok || reply.redirected) throw new Error(`source: ${reply.status}`);
    return reply.text();
  }

  #createNote(reason, error) {
    if (this.status === "failed") {
      const again = textButton(say("ask_again"), () => this.page.onRetry(this));
      return element("p", { class: "fate fault" }, say("failed_note", { message: sayError(error) }), again);
    }
    if (this.status === "stopped") return element("p", { class: "fate" }, say("stopped_note"));
    if (reason === "length") return element("p", { class: "fate" }, say("cut_note"));
    if (this.#isEmpty) return element("p", { class: "fate" }, say("empty_note"));
    return null;
  }
}

function describePosition({ position, wait_seconds: wait }) {
  const place = position > 1 ? say("place", { position }) : say("next");
  if (!wait) return place;
  const about = wait < 90 ? say("about_seconds", { number: wait }) : say("about_minutes", { number: Math.round(wait / 60) });
  return `${place} · ${about}`;
}
