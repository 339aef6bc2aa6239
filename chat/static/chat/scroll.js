// Keeps the end in view for a reader who is there, and leaves alone one who has scrolled up.

const NEAR = 80; // pixels from the end that count as being there

export class Scroll {
  #box = document.getElementById("scroller");
  #button = document.getElementById("down");
  #follows = true;
  #top = 0;
  #frame = 0;

  constructor() {
    this.#box.addEventListener("scroll", () => this.#moved(), { passive: true });
    this.#button.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.grew()).observe(this.#box);
  }

  // At most once for each picture that the screen shows: it makes the browser lay the page out.
  grew() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#follows) this.#end();
      this.#look();
    });
  }

  toEnd() {
    this.#follows = true;
    this.#end();
    this.#look();
  }

  // Does something to what lies above the reader, who sees no move.
  keeping(change) {
    const below = this.#box.scrollHeight - this.#box.scrollTop;
    change();
    this.#box.scrollTop = this.#top = this.#box.scrollHeight - below;
  }

  get #below() {
    return this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
  }

  #end() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#top = this.#box.scrollTop;
  }

  // Only a move upwards takes a reader away from the end; that there is more below them now does not.
  #moved() {
    const top = this.#box.scrollTop;
    if (this.#below < NEAR) this.#follows = true;
    else if (top < this.#top - 1) this.#follows = false;
    this.#top = top;
    this.#look();
  }

  #look() {
    this.#button.hidden = this.#follows || this.#below < NEAR;
  }
}
