// What has been asked and not been accepted yet: sent, kept until the server has it, sent again after a gap.

import { on, say, sayError, textButton } from "./dom.js";
import { createKey, Outbox } from "./outbox.js";
import { createQuestion, findById, findByKey, list, setNote } from "./thread.js";

const RETRY_SECONDS = 3; // before a question that found no room is sent again
const TEMPORARY = new Set(["overloaded", "model_loading", "unavailable", "rate_limit_exceeded"]);

export class Submissions {
  #outbox = new Outbox();
  #held = new Map(); // by key: {at, code}: when it is sent again, and why not now
  #sent = new Set(); // keys of those that are on their way
  #timer = 0;
  #socket;
  #page;

  // `page`: {onShow(article), onAccept(frame, item), onRefuse(item, words), onWait(words)}
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
    const before = [...this.#held.values()].at(-1);
    if (before) this.#hold(submission, before.at, before.code); // the order in which they were asked stays
    else if (this.#outbox.sendable.includes(submission)) this.#send(submission);
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
    this.#held.clear();
    this.#sendFree();
    this.#tick();
  }

  setConversation(conversation) {
    this.#outbox.setConversation(conversation);
    this.#sendFree();
  }

  accept(frame) {
    const item = this.#take(frame.client_key);
    setNote(findByKey(frame.client_key), null);
    this.#page.onAccept(frame, item);
  }

  // Whether it was one of these that was refused. An error that names none can only mean the first that is on its way.
  refuse(frame) {
    const key = frame.reply_to ?? this.#outbox.questions.find((one) => this.#sent.has(one.client_key))?.client_key;
    const item = this.#outbox.get(key);
    if (!item) return false;
    if (TEMPORARY.has(frame.code)) this.#hold(item, Date.now() + (frame.retry_after || RETRY_SECONDS) * 1_000, frame.code);
    else this.#giveBack(item, say("refused", { message: sayError(frame.code) }));
    return true;
  }

  #take(key) {
    this.#held.delete(key);
    this.#sent.delete(key);
    return this.#outbox.take(key);
  }

  #giveBack(item, words) {
    this.#take(item.client_key);
    if (item.text === undefined) return this.#page.onRefuse(item, words);
    setNote(findByKey(item.client_key), [words, this.#editButton(item)], true);
    this.#sendFree(); // in a chat that has no address yet the next one waited for it
  }

  #editButton(item) {
    return textButton(say("edit"), () => {
      this.#take(item.client_key);
      findByKey(item.client_key)?.remove();
      this.#page.onRefuse(item);
      this.#tick();
    });
  }

  #hold(item, at, code) {
    this.#sent.delete(item.client_key);
    this.#held.set(item.client_key, { at, code });
    this.#showStatus(item, "not_sent_yet", {}, item.text === undefined ? [] : [this.#editButton(item)]);
    this.#tick();
  }

  // Sends what is due, and counts down to the next.
  #tick() {
    clearTimeout(this.#timer);
    let words = "";
    for (const [key, { at, code }] of this.#held) {
      const seconds = Math.ceil((at - Date.now()) / 1_000);
      if (seconds > 0) {
        words ||= say("retrying", { message: sayError(code), seconds });
        continue;
      }
      this.#held.delete(key);
      if (this.#outbox.has(key)) this.#send(this.#outbox.get(key));
    }
    this.#page.onWait(words);
    if (this.#held.size) this.#timer = setTimeout(() => this.#tick(), 1_000);
  }

  #sendFree() {
    const isFree = ({ client_key: key }) => !this.#held.has(key) && !this.#sent.has(key);
    this.#outbox.sendable.filter(isFree).forEach((item) => this.#send(item));
  }

  #send(item) {
    const { type, conversation, ...frame } = item;
    if (type === "ask" && conversation) frame.conversation = conversation;
    const isSent = this.#socket.send({ type, ...frame });
    if (isSent) this.#sent.add(item.client_key);
    this.#showStatus(item, isSent ? "sending" : "unsent");
  }

  // Under the question, or under the answer of which another is asked, once there is something to tell of it.
  #showStatus(item, word, values, more = []) {
    const article = findByKey(item.client_key) ?? (item.message && word !== "sending" ? findById(item.message) : null);
    setNote(article, [say(word, values), ...more]);
  }

  #showAll(word) {
    this.#sent.clear();
    for (const item of this.#outbox.questions) this.#showStatus(item, word);
  }
}
