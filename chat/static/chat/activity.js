// In which conversations answers grow. The server tells all of them when that changes; what this window does itself is
// shown at once.

import * as sidebar from "./sidebar.js";

export class Activity {
  #conversations = new Set();

  replace(conversations) {
    const current = new Set(conversations);
    for (const id of this.#conversations) if (!current.has(id)) sidebar.setOpen(id, false);
    this.#conversations = current;
    this.mark();
  }

  add(id) {
    this.#conversations.add(id);
    sidebar.setOpen(id, true);
  }

  set(id, isOpen) {
    if (isOpen) this.add(id);
    else if (this.#conversations.delete(id)) sidebar.setOpen(id, false);
  }

  // Again, after the list was made anew.
  mark() {
    for (const id of this.#conversations) sidebar.setOpen(id, true);
  }
}
