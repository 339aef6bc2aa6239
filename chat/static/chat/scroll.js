// Keeps the end in view for a reader who is there, and leaves alone one who has scrolled up.

import { byId, on } from "./dom.js";

const NEAR_PIXELS = 80; // so far from the end counts as being there

export class Scroll {
  #box = byId("scroller");
  #button = byId("down");
  #follows = true;
  #top = 0;
  #frame = 0;

  constructor() {
    on(this.#box, "scroll", () => this.#handleScroll(), { passive: true });
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

  #jumpToEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#top = this.#box.scrollTop;
  }

  // Only a move upwards takes a reader away from the end; that there is more below them now does not.
  #handleScroll() {
    const top = this.#box.scrollTop;
    if (this.#below < NEAR_PIXELS) this.#follows = true;
    else if (top < this.#top - 1) this.#follows = false;
    this.#top = top;
    this.#updateButton();
  }

  #updateButton() {
    this.#button.hidden = this.#follows || this.#below < NEAR_PIXELS;
  }
}
