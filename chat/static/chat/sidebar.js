// The list of conversations: a drawer on a phone, and what is asked in other windows appears in it.

import { element, say } from "./words.js";

const list = document.querySelector("#conversations ul");
const opener = document.getElementById("open-sidebar");
const sidebar = document.getElementById("sidebar");

function open(is) {
  document.body.classList.toggle("drawer-open", is);
  opener.setAttribute("aria-expanded", String(is));
  if (is) sidebar.querySelector("a, button").focus();
  else if (sidebar.contains(document.activeElement)) opener.focus();
}

opener.addEventListener("click", () => open(true));
document.getElementById("close-sidebar").addEventListener("click", () => open(false));
document.getElementById("veil").addEventListener("click", () => open(false));

// Whether there was a drawer to close.
export function closeDrawer() {
  const was = document.body.classList.contains("drawer-open");
  if (was) open(false);
  return was;
}

// Puts a conversation at the top of the list, as the newest.
export function raise(id, title, address, current) {
  const entry = list.querySelector(`[data-conversation="${CSS.escape(id)}"]`) ?? element("li", { "data-conversation": id }, element("a", { href: address }));
  const link = entry.firstElementChild;
  link.textContent = title;
  if (current) link.setAttribute("aria-current", "page");
  list.prepend(entry);
}

export function growing(id, is) {
  const entry = list.querySelector(`[data-conversation="${CSS.escape(id)}"]`);
  entry?.classList.toggle("growing", is);
  entry?.firstElementChild.toggleAttribute("title", false);
  if (is && entry) entry.firstElementChild.title = say("growing");
}

// The list as the server's page has it.
export function adopt(fresh) {
  list.replaceChildren(...fresh.querySelectorAll("#conversations li"));
}
