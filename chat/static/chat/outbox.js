// Questions that were sent and not yet accepted. They outlive a reload; the server takes each client_key once.

// `crypto.randomUUID` is missing where the page is not served over HTTPS or from this machine.
export function createKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

const STORAGE_KEY = "jarvis.outbox";

export class Outbox {
  #items = new Map();

  constructor() {
    for (const question of JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? "[]")) this.#items.set(question.client_key, question);
  }

  get questions() {
    return [...this.#items.values()];
  }

  // Those that can be sent now: in a chat that has no address yet the first has to come back before the next goes.
  get sendable() {
    const first = this.questions.find((question) => !question.conversation);
    return this.questions.filter((question) => question.conversation || question === first);
  }

  get(key) {
    return this.#items.get(key);
  }

  has(key) {
    return this.#items.has(key);
  }

  add(question) {
    this.#items.set(question.client_key, question);
    this.#save();
  }

  take(key) {
    const question = this.#items.get(key);
    this.#items.delete(key);
    this.#save();
    return question;
  }

  // Those that wait for a conversation that has not been made yet belong to it from now on.
  setConversation(conversation) {
    for (const question of this.#items.values()) question.conversation ??= conversation;
    this.#save();
  }

  #save() {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(this.questions));
  }
}
