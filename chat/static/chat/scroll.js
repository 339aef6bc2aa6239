// Keeps the end in view for a reader who is there, and leaves alone one who has scrolled up.

import { byId, on } from "./dom.js";

const list = byId("messages");
const NEAR_PIXELS = 80; // so far from the end counts as being there
const PAGE = 0.9; // of the height, by one key
const UPWARDS = new Set(["PageUp", "ArrowUp", "Home"]);

export class Scroll {
  #box = byId("scroller");
  #button = byId("down");
  #follows = true;
  #top = 0; // where it was last; the least move upwards adds up
  #touch = 0; // where a finger is
  #frame = 0;

  constructor() {
    const passive = { passive: true };
    on(this.#box, "scroll", () => this.#handleScroll(), passive);
    on(this.#box, "wheel", ({ deltaY }) => deltaY < 0 && this.#letGo(), passive);
    on(this.#box, "touchstart", ({ touches }) => (this.#touch = touches[0].clientY), passive);
    on(this.#box, "touchmove", ({ touches }) => this.#handleTouch(touches[0].clientY), passive);
    on(window, "keydown", (event) => this.#handleKey(event));
    on(this.#button, "click", () => this.showEnd());
    new ResizeObserver(() => this.update()).observe(this.#box);
  }

  // At most once for each picture that the screen shows: it makes the browser lay the page out.
  update() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#follows) this.#jumpToEnd();
      this.#updateButton();
    });
  }

  showEnd() {
    this.#follows = true;
    this.#jumpToEnd();
    this.#updateButton();
  }

  // Does something to what lies above the reader, who sees no move.
  keepPosition(change) {
    const below = this.#box.scrollHeight - this.#box.scrollTop;
    change();
    this.#box.scrollTop = this.#top = this.#box.scrollHeight - below;
  }

  get #below() {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
  }

  // A new chat has no end: its greeting is read from the top.
  #jumpToEnd() {
    if (!list.lastElementChild) return;
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#top = this.#box.scrollTop;
  }

  // Who begins to move upwards is let go at once, however near the end: the next words would pull them back.
  #letGo() {
    if (this.#box.scrollTop > 0) this.#follows = false;
  }

  #handleTouch(y) {
    if (y > this.#touch) this.#letGo();
    this.#touch = y;
  }

  // The field for questions has the focus as a rule, and these keys nothing to do in it.
  #handleKey(event) {
    const { key, target } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !(target instanceof Element)) return;
    if (document.querySelector("dialog[open]")) return;
    const isInside = this.#box.contains(target);
    const isFree = target === document.body || (target.matches("#text") && target.scrollHeight <= target.clientHeight + 1);
    if ((isInside && UPWARDS.has(key)) || (isFree && key === "PageUp")) this.#letGo();
    if (!isFree || (key !== "PageUp" && key !== "PageDown")) return;
    event.preventDefault();
    this.#box.scrollBy(0, (key === "PageUp" ? -PAGE : PAGE) * this.#box.clientHeight);
  }

  // Upwards, and not because there is less to see: then the end is in view all the same.
  #handleScroll() {
    const top = this.#box.scrollTop;
    if (top < this.#top - 1) {
      if (this.#below > 1) this.#follows = false;
      this.#top = top;
    } else if (top > this.#top) {
      if (this.#below < NEAR_PIXELS) this.#follows = true;
      this.#top = top;
    }
    this.#updateButton();
  }

  #updateButton() {
    this.#button.hidden = this.#follows || this.#below < NEAR_PIXELS;
  }
}
