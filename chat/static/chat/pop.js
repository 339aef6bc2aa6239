// Small cards that open at a button: <details class="pop">. One is open at a time; Escape or a click elsewhere closes it.

import { element, icon } from "./words.js";

export function pop(name, words, card, opened = () => {}) {
  const made = element("details", { class: "pop" }, element("summary", { class: "tool", "aria-label": words, title: words }, icon(name)), card);
  made.addEventListener("toggle", () => {
    if (!made.open) return;
    closePops(made);
    made.toggleAttribute("data-up", made.getBoundingClientRect().top > innerHeight * 0.6);
    opened();
  });
  return made;
}

// Whether there was one to close.
export function closePops(but) {
  const open = [...document.querySelectorAll("details.pop[open]")].filter((one) => one !== but);
  for (const one of open) {
    one.open = false;
    if (one.contains(document.activeElement)) one.firstElementChild.focus();
  }
  return open.length > 0;
}

document.addEventListener("click", ({ target }) => closePops(target.closest("details.pop")));
