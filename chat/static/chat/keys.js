// Keys for what is done often, and the card that lists them.

import { closePops } from "./pop.js";
import { last } from "./thread.js";

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const help = document.getElementById("help");
const WIDE = matchMedia("(min-width: 56rem)");

export function listen({ composer, stop, closeDrawer }) {
  const actions = {
    "mod+shift+o": () => location.assign(document.body.dataset.home),
    "mod+k": search,
    "shift+escape": () => composer.focus(),
    "mod+shift+c": () => last("assistant")?.querySelector(".tools .copy")?.click(),
    "mod+shift+s": toggleSidebar,
  };

  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const dialog = document.querySelector("dialog[open]");
    const action = actions[name(event)];
    if (action && !dialog) {
      event.preventDefault();
      action();
    } else if (event.key === "?" && !dialog && !isTyping(event.target)) {
      event.preventDefault();
      help.showModal();
    } else if (event.key === "Escape" && !dialog && !closePops() && !closeDrawer()) {
      stop();
    }
  });

  for (const key of help.querySelectorAll("kbd[data-mac]")) if (MAC) key.textContent = key.dataset.mac;
  document.getElementById("open-help").addEventListener("click", () => help.showModal());
  document.getElementById("open-sidebar").addEventListener("click", () => document.body.classList.remove("no-sidebar"));
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close()); // beside the card
  }
}

function name(event) {
  const mod = MAC ? event.metaKey : event.ctrlKey;
  if ((MAC ? event.ctrlKey : event.metaKey) || event.altKey) return "";
  return [mod && "mod", event.shiftKey && "shift", event.key.toLowerCase()].filter(Boolean).join("+");
}

function isTyping(target) {
  return target.matches("input, textarea, select, [contenteditable]");
}

function search() {
  const field = document.getElementById("search");
  if (!field) return;
  showSidebar();
  field.focus();
}

function showSidebar() {
  document.body.classList.remove("no-sidebar");
  if (!WIDE.matches && !document.body.classList.contains("drawer-open")) document.getElementById("open-sidebar").click();
}

function toggleSidebar() {
  if (WIDE.matches) document.body.classList.toggle("no-sidebar");
  else if (document.body.classList.contains("drawer-open")) document.getElementById("close-sidebar").click();
  else showSidebar();
}
