// A menu that opens at its button: arrow keys, Home and End, letters, Escape, as the ARIA pattern has it.

import { element, say } from "./dom.js";

let close = () => {};

// `items`: {name, danger, href, act}; a name is one of the page's words. `act` is called after the menu has closed and the button has the focus again.
export function openMenu(button, items) {
  const wasOpen = button.getAttribute("aria-expanded") === "true";
  close();
  if (wasOpen) return;
  const entries = items.map(({ name, danger, href, act }) => {
    const attributes = { role: "menuitem", tabindex: "-1", class: danger && "danger", onclick: () => (close(true), act?.()) };
    return href ? element("a", { ...attributes, href }, say(name)) : element("button", { ...attributes, type: "button" }, say(name));
  });
  const menu = element("div", { role: "menu", class: "popup", "aria-label": button.getAttribute("aria-label") }, ...entries);
  const focus = (index) => entries[(index + entries.length) % entries.length].focus();
  const keys = (event) => {
    const at = entries.indexOf(document.activeElement);
    const moves = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 };
    if (event.key in moves) focus(moves[event.key]);
    else if (event.key === "Escape") close(true);
    else if (event.key === "Tab") return close(true);
    else if (event.key.length === 1 && event.key !== " ") {
      const next = [...entries.slice(at + 1), ...entries].find((entry) => entry.textContent.toLowerCase().startsWith(event.key.toLowerCase()));
      return next?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const outside = (event) => !menu.contains(event.target) && !button.contains(event.target) && close();
  close = (back) => {
    close = () => {};
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    removeEventListener("pointerdown", outside);
    removeEventListener("resize", hide);
    if (back) button.focus();
  };
  const hide = () => close();
  menu.addEventListener("keydown", keys);
  addEventListener("pointerdown", outside);
  addEventListener("resize", hide);
  button.setAttribute("aria-expanded", "true");
  document.body.append(menu);
  placeMenu(menu, button.getBoundingClientRect());
  focus(0);
}

function placeMenu(menu, at) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = at.bottom + height + 8 < innerHeight;
  menu.style.top = `${Math.max(8, below ? at.bottom + 2 : at.top - height - 2)}px`;
  menu.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
}
