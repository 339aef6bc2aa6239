// Small cards that open at a button: <details class="popover">. One is open at a time; Escape or a click elsewhere closes it.

import { element, findAll, icon, on } from "./dom.js";

export function popover(name, words, card, onOpen) {
  const made = element("details", { class: "popover" }, element("summary", { class: "tool", "aria-label": words, title: words }, icon(name)), card);
  on(made, "toggle", () => {
    if (!made.open) return;
    closePopovers(made);
    made.toggleAttribute("data-up", made.getBoundingClientRect().top > innerHeight * 0.6);
    onOpen?.();
  });
  return made;
}

// Whether there was one to close.
export function closePopovers(but) {
  const open = findAll("details.popover[open]").filter((one) => one !== but);
  for (const one of open) {
    one.open = false;
    if (one.contains(document.activeElement)) one.firstElementChild.focus();
  }
  return open.length > 0;
}

on(document, "click", ({ target }) => closePopovers(target.closest("details.popover")));
