// A socket that comes back by itself, with growing pauses, and says what has become of it.

const PAUSES = [250, 500, 1000, 2000, 4000, 8000];
const QUIET = 20_000; // milliseconds without a frame after which the connection is tried
const PATIENCE = 8_000;
const SIGNED_OUT = 4401;

export class Socket extends EventTarget {
  #path;
  #socket = null;
  #failures = 0;
  #timer = 0;
  #heard = 0;
  #asked = 0;

  constructor(path) {
    super();
    this.#path = path;
    addEventListener("online", () => this.#again(0));
    addEventListener("offline", () => this.#lost());
    addEventListener("pageshow", (event) => event.persisted && this.#again(0));
    addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#probe());
    setInterval(() => this.#watch(), 2_000);
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
      this.#heard = Date.now();
      this.#asked = 0;
      this.#tell("open");
    };
    socket.onmessage = (event) => {
      this.#heard = Date.now();
      this.#asked = 0;
      if (socket === this.#socket) this.#tell("frame", JSON.parse(event.data));
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      if (event.code === SIGNED_OUT) this.#tell("signed-out");
      else this.#lost();
    };
  }

  // Whether the frame went out. If not, who sends it has to keep it.
  send(frame) {
    if (!this.isOpen) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #lost() {
    this.#drop();
    this.#tell("lost");
    const pause = PAUSES[Math.min(this.#failures, PAUSES.length - 1)];
    this.#failures += 1;
    this.#again(pause * (0.75 + Math.random() / 2));
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #again(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.isOpen) return;
      this.#drop();
      this.open();
    }, pause);
  }

  #probe() {
    if (!this.isOpen || this.#asked) return;
    this.#asked = Date.now();
    this.send({ type: "ping" });
  }

  #watch() {
    const now = Date.now();
    if (!this.isOpen) return;
    if (this.#asked && now - this.#asked > PATIENCE) this.#lost();
    else if (now - this.#heard > QUIET) this.#probe();
  }
}
