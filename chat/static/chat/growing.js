// In which conversations answers grow. The server tells all of them when that changes; what this window does itself is
// shown at once.

import * as sidebar from "./sidebar.js";

export class Growing {
  #found = new Set();

  all(conversations) {
    const told = new Set(conversations);
    for (const id of this.#found) if (!told.has(id)) sidebar.growing(id, false);
    this.#found = told;
    this.show();
  }

  add(id) {
    this.#found.add(id);
    sidebar.growing(id, true);
  }

  here(id, is) {
    if (is) this.add(id);
    else if (this.#found.delete(id)) sidebar.growing(id, false);
  }

  // Again, after the list was made anew.
  show() {
    for (const id of this.#found) sidebar.growing(id, true);
  }
}
