// What has been asked and not been accepted yet: sent, kept until the server has it, sent again after a gap.

import { newKey, Outbox } from "./outbox.js";
import { byId, byKey, fate, list, question } from "./thread.js";
import { element, say, textButton } from "./words.js";

const RETRY = 3_000; // milliseconds before a question that found no room is sent again
const PASSING = new Set(["overloaded", "model_loading", "unavailable", "rate_limit_exceeded"]);

export class Asking {
  #outbox = new Outbox();
  #socket;
  #page;

  // `page`: {asked(key), accepted(frame, item), refused(item)}
  constructor(socket, page) {
    this.#socket = socket;
    this.#page = page;
    socket.addEventListener("open", () => this.flush());
    socket.addEventListener("lost", () => this.#tellAll("unsent"));
  }

  // `item` is a frame that asks for an answer, without its key; `conversation` is where, null for a new one.
  put(item) {
    const kept = { client_key: newKey(), ...item };
    this.#outbox.put(kept);
    this.show(kept);
    if (this.#outbox.sendable.includes(kept)) this.#send(kept);
    else this.#tell(kept, "sending");
  }

  // Shows those of a conversation, for example after a reload.
  restore(conversation) {
    for (const item of this.#outbox.questions) if ((item.conversation ?? "") === conversation) this.show(item);
  }

  show(item) {
    if (item.text === undefined) return;
    const article = byKey(item.client_key) ?? question(item.client_key, item.text);
    if (!article.isConnected) list.append(article);
    this.#page.asked(article);
  }

  flush() {
    this.#outbox.sendable.forEach((item) => this.#send(item));
  }

  settle(conversation) {
    this.#outbox.settle(conversation);
    this.flush();
  }

  accepted(frame) {
    const item = this.#outbox.take(frame.client_key);
    fate(byKey(frame.client_key), null);
    this.#page.accepted(frame, item);
  }

  refused(frame) {
    const item = this.#outbox.get(frame.reply_to);
    if (!item) return;
    if (PASSING.has(frame.code)) {
      this.#tell(item, "retrying", { message: frame.message });
      const wait = frame.retry_after ? frame.retry_after * 1_000 : RETRY;
      setTimeout(() => this.#outbox.has(item.client_key) && this.#send(item), wait);
      return;
    }
    this.#outbox.take(item.client_key);
    const words = say("refused", { message: frame.message });
    const edit = () => {
      byKey(item.client_key)?.remove();
      this.#page.refused(item);
    };
    const button = textButton(say("edit"), edit);
    if (item.text !== undefined) fate(byKey(item.client_key), [words, button], true);
    else this.#page.refused(item, words);
  }

  #send(item) {
    const { type, conversation, ...frame } = item;
    if (type === "ask" && conversation) frame.conversation = conversation;
    this.#tell(item, this.#socket.send({ type, ...frame }) ? "sending" : "unsent");
  }

  // Under the question, or under the answer of which another is asked, once there is something to tell of it.
  #tell(item, word, values) {
    const article = byKey(item.client_key) ?? (item.message && word !== "sending" ? byId(item.message) : null);
    fate(article, [say(word, values)]);
  }

  #tellAll(word) {
    for (const item of this.#outbox.questions) this.#tell(item, word);
  }
}
