// The list of conversations: a drawer on a phone; grouped, searched, loaded on as it is scrolled, alike in all windows.

import { Actions } from "./actions.js";
import { byId, data, element, fetchHtml, findAll, isComposing, on, parseHtml, say } from "./dom.js";
import { markWords } from "./marks.js";

const FRAME_MS = 4_000; // that a message which was found is framed; its words stay marked
const SEARCH_DELAY_MS = 160; // without a key, before a search is made
const FOLDERS_KEY = "jarvis.folders";

const address = `${data.home}conversations/`;
const list = byId("conversations");
const results = byId("search-results");
const field = byId("search");
const opener = byId("open-sidebar");
const sidebar = byId("sidebar");
const busy = new Set(); // conversations in which an answer grows

// The drawer

function toggleDrawer(isOpen) {
  document.body.classList.toggle("drawer-open", isOpen);
  opener.setAttribute("aria-expanded", String(isOpen));
  if (isOpen) sidebar.querySelector("a, button").focus();
  else if (sidebar.contains(document.activeElement)) opener.focus();
}

on(opener, "click", () => toggleDrawer(true));
on(byId("close-sidebar"), "click", () => toggleDrawer(false));
on(byId("backdrop"), "click", () => toggleDrawer(false));

// Whether there was a drawer to close.
export function closeDrawer() {
  const was = document.body.classList.contains("drawer-open");
  if (was) toggleDrawer(false);
  return was;
}

// Entries

function findEntry(id) {
  return list.querySelector(`li[data-conversation="${CSS.escape(id)}"]`);
}

function makeEntry(id, title, href) {
  const button = byId("entry").content.firstElementChild.cloneNode(true);
  button.setAttribute("aria-label", say("options", { title }));
  return element("li", { "data-conversation": id, "data-folder": "" }, element("a", { href, dir: "auto" }, title), button);
}

function setTitle(entry, title) {
  const link = entry.querySelector("a");
  if (link) link.textContent = title;
  entry.querySelector(".more").setAttribute("aria-label", say("options", { title }));
}

function markAll() {
  for (const entry of findAll("li[data-conversation]", list)) {
    const is = busy.has(entry.dataset.conversation);
    entry.classList.toggle("answering", is);
    const link = entry.querySelector("a");
    if (!link) continue; // its title is being written
    if (is) link.title = say("growing");
    else link.title = link.textContent;
    if (entry.dataset.conversation === data.conversation) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// Puts a conversation at the top of today's, as the newest; those that are pinned or in a folder stay where they are.
export function moveToTop(id, title, href) {
  const entry = findEntry(id) ?? makeEntry(id, title, href);
  setTitle(entry, title);
  if (!entry.closest("details, [data-group=pinned]")) {
    const old = entry.closest("section");
    getGroup("today").prepend(entry);
    if (old && !old.querySelector("li")) old.remove();
  }
  markAll();
}

function getGroup(key) {
  let section = list.querySelector(`section[data-group="${key}"]`);
  if (!section) {
    section = element("section", { "data-group": key }, element("h2", {}, say(key)), element("ul"));
    const before = findAll("details, [data-group=pinned]", list).pop();
    if (before) before.after(section);
    else list.prepend(section);
    list.querySelector(".none")?.remove();
  }
  return section.querySelector("ul");
}

export function setOpen(id, isOpen) {
  if (isOpen) busy.add(id);
  else busy.delete(id);
  markAll();
}

// Shows how a conversation is now. False where the page is left, because what it showed is gone.
export function applyChange(frame) {
  const { conversation: id, title } = frame;
  const entry = id && findEntry(id);
  if (frame.deleted) {
    remove(entry);
    if (id !== data.conversation) return true;
    location.assign(data.home);
    return false;
  }
  if (id && id === data.conversation) {
    document.title = `${title} · Jarvis`;
    byId("title").textContent = title;
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

const actions = new Actions({ applyChange });

// Loading

async function fetchPart(query) {
  const reply = await fetchHtml(`${address}?${query}`);
  if (reply.status === 429) throw new Error(say("too_many", { seconds: reply.headers.get("retry-after") }));
  if (!reply.ok || reply.redirected) throw new Error(say("no_answer"));
  return (await parseHtml(reply)).body;
}

let loading = null;

// Loads as much of the list again as there was.
export function refresh() {
  loading ??= new Promise((resolve) => setTimeout(resolve, 50)).then(async () => {
    loading = null;
    const listed = findAll("section li", list).length;
    replaceList(await fetchPart(new URLSearchParams({ part: "list", listed, current: data.conversation })));
  }).catch((error) => console.info("the list is loaded again with the next change", error));
  return loading;
}

// The list as another page of the server has it.
export function replaceList(fresh) {
  const editing = list.querySelector(".rename");
  if (editing) return on(editing, "blur", refresh, { once: true });
  const kept = document.activeElement?.closest?.("#conversations li")?.dataset.conversation;
  const top = list.scrollTop;
  list.replaceChildren(...fresh.childNodes);
  restoreFolders();
  markAll();
  watchEnd();
  list.scrollTop = top;
  if (kept) findEntry(kept)?.querySelector(".more").focus();
}

async function loadMore(link) {
  link.classList.add("loading");
  const query = new URLSearchParams(new URL(link.href).search);
  const folder = link.closest("details");
  query.set("part", folder ? "folder" : "list");
  try {
    const fresh = await fetchPart(query);
    if (folder) link.replaceWith(...fresh.childNodes);
    else append(link, fresh);
    markAll();
  } catch {
    link.classList.remove("loading"); // it can be pressed
  }
  watchEnd();
}

// The next piece may go on with the group that the last one ended in, and may repeat what has moved meanwhile.
function append(link, fresh) {
  for (const entry of findAll("li", fresh)) if (findEntry(entry.dataset.conversation)) entry.remove();
  for (const section of findAll("section", fresh)) {
    const last = list.querySelector(`section[data-group="${section.dataset.group}"] ul`);
    if (last) last.append(...findAll("li", section));
    else if (section.querySelector("li")) link.before(section);
  }
  const next = fresh.querySelector(".load-more");
  if (next) link.replaceWith(next);
  else link.remove();
}

const end = new IntersectionObserver((seen) => seen.forEach((one) => one.isIntersecting && load(one.target)), { root: list, rootMargin: "400px" });

function load(link) {
  end.unobserve(link);
  loadMore(link);
}

function watchEnd() {
  const link = list.querySelector(":scope > .load-more:not(.loading)");
  if (link) end.observe(link);
}

// Folders: what is in one is loaded when it is opened; which ones are open is kept.

function readOpenFolders() {
  return new Set(JSON.parse(localStorage.getItem(FOLDERS_KEY) ?? "[]"));
}

function restoreFolders() {
  const names = readOpenFolders();
  for (const folder of findAll("details", list)) folder.open ||= names.has(folder.dataset.folder);
}

on(
  list,
  "toggle",
  ({ target: folder }) => {
    const names = readOpenFolders();
    names[folder.open ? "add" : "delete"](folder.dataset.folder);
    localStorage.setItem(FOLDERS_KEY, JSON.stringify([...names]));
    const loadLink = folder.querySelector(":scope > .load-folder:not(.loading)");
    if (folder.open && loadLink) loadMore(loadLink);
  },
  true,
);

on(sidebar, "click", (event) => {
  const button = event.target.closest(".more");
  const link = event.target.closest(".load-more, .load-folder");
  if (button) actions.openMenu(button.closest("li"), button);
  else if (link && list.contains(link)) {
    event.preventDefault();
    loadMore(link);
  }
});

// Search

let timer = 0;
let searches = 0;

async function search() {
  const text = field.value.trim();
  const mine = ++searches;
  const fresh = text ? await fetchPart(new URLSearchParams({ part: "search", q: field.value })).catch((error) => element("p", { class: "none" }, error.message)) : null;
  if (mine !== searches) return;
  results.hidden = !text;
  list.hidden = Boolean(text);
  results.replaceChildren(...(fresh?.childNodes ?? []));
  const hits = findAll("li", results).length;
  byId("search-count").textContent = text ? say("hits", { count: results.querySelector(".load-more") ? `${hits}+` : hits }) : "";
}

on(field, "input", () => {
  clearTimeout(timer);
  timer = setTimeout(search, SEARCH_DELAY_MS);
});
on(field.form, "keydown", (event) => {
  const first = results.querySelector("a");
  if (isComposing(event)) return;
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
on(field.form, "submit", (event) => {
  const first = results.querySelector("a");
  if (!first || results.hidden) return; // the page of all conversations searches too
  event.preventDefault();
  first.click();
});
on(results, "keydown", (event) => {
  const links = findAll("a", results);
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
  setTimeout(() => hit.classList.remove("hit"), FRAME_MS);
  markWords(hit.querySelector(".said"), JSON.parse(hit.dataset.marks ?? "[]"));
  hit.scrollIntoView({ block: "center" });
  history.replaceState(null, "", location.pathname);
  return true;
}

// A hit in another version: from now on that one is shown, here and in other windows.
export function showVersion(socket) {
  const message = Number(data.toShow);
  if (message && socket.send({ type: "show", message })) delete data.toShow;
}

restoreFolders();
markAll();
watchEnd();
actions.offerUndo();
