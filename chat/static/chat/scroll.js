// Keeps the end in view for a reader who is there, and leaves alone one who has scrolled up.

const NEAR = 80; // pixels from the end that count as being there

export class Scroll {
  #box = document.getElementById("scroller");
  #button = document.getElementById("down");
  #follows = true;

  constructor() {
    this.#box.addEventListener("scroll", () => this.#look(), { passive: true });
    this.#button.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.grew()).observe(this.#box);
  }

  grew() {
    if (this.#follows) this.#box.scrollTop = this.#box.scrollHeight;
    this.#look();
  }

  toEnd() {
    this.#follows = true;
    this.grew();
  }

  #look() {
    const below = this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
    this.#follows = below < NEAR;
    this.#button.hidden = this.#follows;
  }
}
