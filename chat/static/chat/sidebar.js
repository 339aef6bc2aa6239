// The list of conversations: a drawer on a phone; grouped, searched, loaded on as it is scrolled, alike in all windows.

import { Actions } from "./actions.js";
import { element, say } from "./words.js";

const PAUSE = 160; // milliseconds without a key after which a search is made
const OPEN_FOLDERS = "jarvis.folders";

const data = document.body.dataset;
const address = `${data.home}conversations/`;
const list = document.getElementById("conversations");
const found = document.getElementById("found");
const field = document.getElementById("search");
const opener = document.getElementById("open-sidebar");
const sidebar = document.getElementById("sidebar");
const busy = new Set(); // conversations in which an answer grows

// The drawer

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

// Entries

function entryOf(id) {
  return list.querySelector(`li[data-conversation="${CSS.escape(id)}"]`);
}

function makeEntry(id, title, href) {
  const button = document.getElementById("entry").content.firstElementChild.cloneNode(true);
  button.setAttribute("aria-label", say("options", { title }));
  return element("li", { "data-conversation": id, "data-folder": "" }, element("a", { href }, title), button);
}

function setTitle(entry, title) {
  const link = entry.querySelector("a");
  if (link) link.textContent = title;
  entry.querySelector(".more").setAttribute("aria-label", say("options", { title }));
}

function mark() {
  for (const entry of list.querySelectorAll("li[data-conversation]")) {
    const is = busy.has(entry.dataset.conversation);
    entry.classList.toggle("growing", is);
    const link = entry.querySelector("a");
    if (!link) continue; // its title is being written
    if (is) link.title = say("growing");
    else link.removeAttribute("title");
    if (entry.dataset.conversation === data.conversation) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// Puts a conversation at the top of today's, as the newest; those that are pinned or in a folder stay where they are.
export function raise(id, title, href) {
  const entry = entryOf(id) ?? makeEntry(id, title, href);
  setTitle(entry, title);
  if (!entry.closest("details, [data-group=pinned]")) {
    const old = entry.closest("section");
    group("today").prepend(entry);
    if (old && !old.querySelector("li")) old.remove();
  }
  mark();
}

function group(key) {
  let section = list.querySelector(`section[data-group="${key}"]`);
  if (!section) {
    section = element("section", { "data-group": key }, element("h2", {}, say(key)), element("ul"));
    const before = [...list.querySelectorAll("details, [data-group=pinned]")].pop();
    if (before) before.after(section);
    else list.prepend(section);
    list.querySelector(".none")?.remove();
  }
  return section.querySelector("ul");
}

export function growing(id, is) {
  if (is) busy.add(id);
  else busy.delete(id);
  mark();
}

// Shows how a conversation is now. False where the page is left, because what it showed is gone.
export function changed(frame) {
  const { conversation: id, title } = frame;
  const entry = id && entryOf(id);
  if (frame.deleted) {
    remove(entry);
    if (id !== data.conversation) return true;
    location.assign(data.home);
    return false;
  }
  if (id && id === data.conversation) {
    document.title = `${title} · Jarvis`;
    document.getElementById("title").textContent = title;
  }
  const has = (name) => entry.hasAttribute(`data-${name}`);
  const same = entry && has("pinned") === frame.pinned && has("archived") === frame.archived && entry.dataset.folder === frame.folder;
  if (same) setTitle(entry, title);
  else refresh();
  return true;
}

function remove(entry) {
  const section = entry?.closest("section");
  entry?.remove();
  if (section && !section.querySelector("li")) section.remove();
}

const actions = new Actions({ changed });

// Loading

async function piece(query) {
  const reply = await fetch(`${address}?${query}`, { headers: { accept: "text/html" } });
  if (reply.status === 429) throw new Error(say("too_many", { seconds: reply.headers.get("retry-after") }));
  if (!reply.ok || reply.redirected) throw new Error(say("no_answer"));
  return new DOMParser().parseFromString(await reply.text(), "text/html").body;
}

let loading = null;

// Loads as much of the list again as there was.
export function refresh() {
  loading ??= new Promise((resolve) => setTimeout(resolve, 50)).then(async () => {
    loading = null;
    const listed = list.querySelectorAll("section li").length;
    show(await piece(new URLSearchParams({ part: "list", listed, current: data.conversation })));
  }).catch((error) => console.info("the list is loaded again with the next change", error));
  return loading;
}

// The list as another page of the server has it.
export function show(fresh) {
  const editing = list.querySelector(".rename");
  if (editing) return editing.addEventListener("blur", refresh, { once: true });
  const kept = document.activeElement?.closest?.("#conversations li")?.dataset.conversation;
  const top = list.scrollTop;
  list.replaceChildren(...fresh.childNodes);
  openFolders();
  mark();
  watchEnd();
  list.scrollTop = top;
  if (kept) entryOf(kept)?.querySelector(".more").focus();
}

async function loadOn(link) {
  link.classList.add("loading");
  const query = new URLSearchParams(new URL(link.href).search);
  const folder = link.closest("details");
  query.set("part", folder ? "folder" : "list");
  try {
    const fresh = await piece(query);
    if (folder) link.replaceWith(...fresh.childNodes);
    else append(link, fresh);
    mark();
  } catch {
    link.classList.remove("loading"); // it can be pressed
  }
  watchEnd();
}

// The next piece may go on with the group that the last one ended in, and may repeat what has moved meanwhile.
function append(link, fresh) {
  for (const entry of fresh.querySelectorAll("li")) if (entryOf(entry.dataset.conversation)) entry.remove();
  for (const section of fresh.querySelectorAll("section")) {
    const last = list.querySelector(`section[data-group="${section.dataset.group}"] ul`);
    if (last) last.append(...section.querySelectorAll("li"));
    else if (section.querySelector("li")) link.before(section);
  }
  const next = fresh.querySelector(".following");
  if (next) link.replaceWith(next);
  else link.remove();
}

const end = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && load(one.target)), { root: list, rootMargin: "400px" });

function load(link) {
  end.unobserve(link);
  loadOn(link);
}

function watchEnd() {
  const link = list.querySelector(":scope > .following:not(.loading)");
  if (link) end.observe(link);
}

// Folders: what is in one is loaded when it is opened; which ones are open is kept.

function opened() {
  return new Set(JSON.parse(localStorage.getItem(OPEN_FOLDERS) ?? "[]"));
}

function openFolders() {
  const names = opened();
  for (const folder of list.querySelectorAll("details")) folder.open ||= names.has(folder.dataset.folder);
}

list.addEventListener(
  "toggle",
  ({ target: folder }) => {
    const names = opened();
    names[folder.open ? "add" : "delete"](folder.dataset.folder);
    localStorage.setItem(OPEN_FOLDERS, JSON.stringify([...names]));
    const unopened = folder.querySelector(":scope > .unopened:not(.loading)");
    if (folder.open && unopened) loadOn(unopened);
  },
  true,
);

sidebar.addEventListener("click", (event) => {
  const button = event.target.closest(".more");
  const link = event.target.closest(".following, .unopened");
  if (button) actions.menu(button.closest("li"), button);
  else if (link && list.contains(link)) {
    event.preventDefault();
    loadOn(link);
  }
});

// Search

let timer = 0;
let asked = 0;

async function search() {
  const text = field.value.trim();
  const mine = ++asked;
  const fresh = text ? await piece(new URLSearchParams({ part: "search", q: field.value })).catch((error) => element("p", { class: "none" }, error.message)) : null;
  if (mine !== asked) return;
  found.hidden = !text;
  list.hidden = Boolean(text);
  found.replaceChildren(...(fresh?.childNodes ?? []));
  const hits = found.querySelectorAll("li").length;
  document.getElementById("found-count").textContent = text ? say("hits", { count: found.querySelector(".following") ? `${hits}+` : hits }) : "";
}

field.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, PAUSE);
});
field.form.addEventListener("keydown", (event) => {
  const first = found.querySelector("a");
  if (event.key === "Escape" && field.value) {
    event.stopPropagation();
    event.preventDefault();
    field.value = "";
    search();
  } else if (event.key === "ArrowDown" && first) {
    event.preventDefault();
    first.focus();
  }
});
field.form.addEventListener("submit", (event) => {
  const first = found.querySelector("a");
  if (!first || found.hidden) return; // the page of all conversations searches too
  event.preventDefault();
  first.click();
});
found.addEventListener("keydown", (event) => {
  const links = [...found.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown") links[Math.min(at + 1, links.length - 1)].focus();
  else if (event.key === "ArrowUp") (links[at - 1] ?? field).focus();
  else return;
  event.preventDefault();
});

// Brings the message that the address names into view; whether there is one.
export function showHit() {
  const hit = /^#m\d+$/.test(location.hash) && document.querySelector(`[data-message="${location.hash.slice(2)}"]`);
  if (!hit) return false;
  hit.classList.add("hit");
  hit.scrollIntoView({ block: "center" });
  history.replaceState(null, "", location.pathname);
  return true;
}

// A hit in another version: from now on that one is shown, here and in other windows.
export function showVersion(socket) {
  const message = Number(data.toShow);
  if (message && socket.send({ type: "show", message })) delete data.toShow;
}

openFolders();
mark();
watchEnd();
actions.offerUndo();
