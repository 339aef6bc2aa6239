// A socket that comes back by itself, with growing pauses, and says what has become of it.

const DELAYS_MS = [250, 500, 1000, 2000, 4000, 8000];
const QUIET_MS = 20_000; // without a frame, before the connection is checked
const PONG_TIMEOUT_MS = 8_000;
const SIGNED_OUT = 4401;

export class Socket extends EventTarget {
  #path;
  #socket = null;
  #failures = 0;
  #timer = 0;
  #lastFrameAt = 0;
  #pingedAt = 0;

  constructor(path) {
    super();
    this.#path = path;
    addEventListener("online", () => this.#reconnect(0));
    addEventListener("offline", () => this.#handleLoss());
    addEventListener("pageshow", (event) => event.persisted && this.#reconnect(0));
    addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#ping());
    setInterval(() => this.#check(), 2_000);
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    clearTimeout(this.#timer);
    const address = new URL(this.#path, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.onopen = () => {
      this.#failures = 0;
      this.#lastFrameAt = Date.now();
      this.#pingedAt = 0;
      this.#emit("open");
    };
    socket.onmessage = (event) => {
      this.#lastFrameAt = Date.now();
      this.#pingedAt = 0;
      if (socket === this.#socket) this.#emit("frame", JSON.parse(event.data));
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      if (event.code === SIGNED_OUT) this.#emit("signed-out");
      else this.#handleLoss();
    };
  }

  // Whether the frame went out. If not, who sends it has to keep it.
  send(frame) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify(frame, (_, value) => (typeof value === "string" ? cleanText(value) : value)));
    return true;
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #handleLoss() {
    this.#discard();
    this.#emit("lost");
    const pause = DELAYS_MS[Math.min(this.#failures, DELAYS_MS.length - 1)];
    this.#failures += 1;
    this.#reconnect(pause * (0.75 + Math.random() / 2));
  }

  #discard() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #reconnect(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.isOpen) return;
      this.#discard();
      this.open();
    }, pause);
  }

  #ping() {
    if (!this.isOpen || this.#pingedAt) return;
    this.#pingedAt = Date.now();
    this.send({ type: "ping" });
  }

  #check() {
    const now = Date.now();
    if (!this.isOpen) return;
    if (this.#pingedAt && now - this.#pingedAt > PONG_TIMEOUT_MS) this.#handleLoss();
    else if (now - this.#lastFrameAt > QUIET_MS) this.#ping();
  }
}

// Halves of characters, as cut emoji leave them, and NUL cannot be stored.
function cleanText(text) {
  return text.replace(/\p{Surrogate}/gu, "\ufffd").replaceAll("\0", "");
}
