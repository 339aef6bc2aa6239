// Keys for what is done often, and the card that lists them.

import { byId, data, findAll, isComposing, on } from "./dom.js";
import { closePopovers } from "./popover.js";
import { findLast } from "./thread.js";

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const QUESTION_MARKS = new Set("?؟？");
const help = byId("help");
const { classList } = document.body;
const WIDE = matchMedia("(min-width: 56rem)");
const HIDDEN_KEY = "jarvis.sidebar";
if (WIDE.matches && localStorage.getItem(HIDDEN_KEY)) classList.add("no-sidebar");

export function bindKeys({ composer, stop, closeDrawer }) {
  const actions = {
    "mod+shift+o": () => location.assign(data.home),
    "mod+k": focusSearch,
    "shift+escape": () => composer.focus(),
    "mod+shift+c": () => findLast("assistant")?.querySelector(".tools .copy")?.click(),
    "mod+shift+s": toggleSidebar,
  };

  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || isComposing(event)) return;
    const dialog = document.querySelector("dialog[open]");
    const action = actions[keyName(event)];
    if (action && !dialog) {
      event.preventDefault();
      action();
    } else if (QUESTION_MARKS.has(event.key) && !dialog && !isTyping(event.target)) {
      event.preventDefault();
      help.showModal();
    } else if (event.key === "Escape" && !dialog && !closePopovers() && !closeDrawer()) {
      stop();
    }
  });

  for (const key of findAll("kbd[data-mac]", help)) if (MAC) key.textContent = key.dataset.mac;
  on(byId("open-help"), "click", () => help.showModal());
  on(byId("open-sidebar"), "click", () => {
    hideSidebar(false);
    if (WIDE.matches) classList.remove("drawer-open"); // it is no drawer there
  });
  on(byId("close-sidebar"), "click", () => WIDE.matches && toggleSidebar());
  for (const dialog of findAll("dialog")) {
    on(dialog, "click", (event) => event.target === dialog && dialog.close()); // beside the card
  }
}

function keyName(event) {
  const mod = MAC ? event.metaKey : event.ctrlKey;
  if ((MAC ? event.ctrlKey : event.metaKey) || event.altKey) return "";
  return [mod && "mod", event.shiftKey && "shift", letterOf(event)].filter(Boolean).join("+");
}

// Where a keyboard writes other letters than Latin ones, the place of the key counts.
function letterOf({ key, code }) {
  return /^[^\x00-\x7f]$/u.test(key) && /^Key[A-Z]$/.test(code) ? code[3].toLowerCase() : key.toLowerCase();
}

function isTyping(target) {
  return target.matches("input, textarea, select, [contenteditable]");
}

function focusSearch() {
  const field = byId("search");
  if (!field) return;
  showSidebar();
  field.focus();
}

// On a wide screen; it stays so on other pages.
function hideSidebar(is) {
  classList.toggle("no-sidebar", is);
  if (is) localStorage.setItem(HIDDEN_KEY, "1");
  else localStorage.removeItem(HIDDEN_KEY);
}

function showSidebar() {
  hideSidebar(false);
  if (!WIDE.matches && !classList.contains("drawer-open")) byId("open-sidebar").click();
}

function toggleSidebar() {
  if (WIDE.matches) {
    const hides = !classList.contains("no-sidebar");
    hideSidebar(hides);
    byId(hides ? "open-sidebar" : "close-sidebar").focus();
  } else if (classList.contains("drawer-open")) byId("close-sidebar").click();
  else showSidebar();
}
