// What has been asked and not been accepted yet: sent, kept until the server has it, sent again after a gap.

import { element, on, say, textButton } from "./dom.js";
import { createKey, Outbox } from "./outbox.js";
import { createQuestion, findById, findByKey, list, setNote } from "./thread.js";

const RETRY_MS = 3_000; // before a question that found no room is sent again
const TEMPORARY = new Set(["overloaded", "model_loading", "unavailable", "rate_limit_exceeded"]);

export class Submissions {
  #outbox = new Outbox();
  #socket;
  #page;

  // `page`: {onShow(article), onAccept(frame, item), onRefuse(item, words)}
  constructor(socket, page) {
    this.#socket = socket;
    this.#page = page;
    on(socket, "open", () => this.flush());
    on(socket, "lost", () => this.#showAll("unsent"));
  }

  // `item` is a frame that asks for an answer, without its key; `conversation` is where, null for a new one.
  submit(item) {
    const submission = { client_key: createKey(), ...item };
    this.#outbox.add(submission);
    this.show(submission);
    if (this.#outbox.sendable.includes(submission)) this.#send(submission);
    else this.#showStatus(submission, "sending");
  }

  // Shows those of a conversation, for example after a reload.
  restore(conversation) {
    for (const item of this.#outbox.questions) if ((item.conversation ?? "") === conversation) this.show(item);
  }

  show(item) {
    if (item.text === undefined) return;
    const article = findByKey(item.client_key) ?? createQuestion(item.client_key, item.text);
    if (!article.isConnected) list.append(article);
    this.#page.onShow(article);
  }

  flush() {
    this.#outbox.sendable.forEach((item) => this.#send(item));
  }

  setConversation(conversation) {
    this.#outbox.setConversation(conversation);
    this.flush();
  }

  accept(frame) {
    const item = this.#outbox.take(frame.client_key);
    setNote(findByKey(frame.client_key), null);
    this.#page.onAccept(frame, item);
  }

  refuse(frame) {
    const item = this.#outbox.get(frame.reply_to);
    if (!item) return;
    if (TEMPORARY.has(frame.code)) {
      this.#showStatus(item, "retrying", { message: frame.message });
      const wait = frame.retry_after ? frame.retry_after * 1_000 : RETRY_MS;
      setTimeout(() => this.#outbox.has(item.client_key) && this.#send(item), wait);
      return;
    }
    this.#outbox.take(item.client_key);
    const words = say("refused", { message: frame.message });
    const edit = () => {
      findByKey(item.client_key)?.remove();
      this.#page.onRefuse(item);
    };
    const button = textButton(say("edit"), edit);
    if (item.text !== undefined) setNote(findByKey(item.client_key), [words, button], true);
    else this.#page.onRefuse(item, words);
  }

  #send(item) {
    const { type, conversation, ...frame } = item;
    if (type === "ask" && conversation) frame.conversation = conversation;
    this.#showStatus(item, this.#socket.send({ type, ...frame }) ? "sending" : "unsent");
  }

  // Under the question, or under the answer of which another is asked, once there is something to tell of it.
  #showStatus(item, word, values) {
    const article = findByKey(item.client_key) ?? (item.message && word !== "sending" ? findById(item.message) : null);
    setNote(article, [say(word, values)]);
  }

  #showAll(word) {
    for (const item of this.#outbox.questions) this.#showStatus(item, word);
  }
}
