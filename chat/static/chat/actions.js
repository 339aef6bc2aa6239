// What a person does with a conversation: rename, pin, file, archive, share, export, delete and undo.

import { copyText } from "../accounts/clipboard.js";
import { byId, data, element, findAll, isComposing, on, say, sayError, textButton } from "./dom.js";
import { openMenu } from "./menu.js";

const UNDO_MS = 8_000; // in which a deletion can be undone
const UNDO_KEY = "jarvis.undo"; // the deletion that can still be undone after another page was loaded

// Calls a REST resource. Throws an Error with a sentence that can be shown.
export async function call(method, path, body) {
  const form = body instanceof FormData;
  const headers = { "x-csrftoken": document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "", accept: "application/json" };
  if (body && !form) headers["content-type"] = "application/json";
  const reply = await fetch(`${data.home}api/v1/${path}`, { method, headers, body: body && !form ? JSON.stringify(body) : body }).catch(() => {
    throw new Error(say("no_answer"));
  });
  if (reply.status === 204) return null;
  const answer = await reply.json().catch(() => null);
  if (!reply.ok) throw new Error(explain(reply, answer?.error));
  return answer;
}

// A field that is at fault is explained by the server, in the reader's language; the rest is known by its code word.
function explain(reply, error) {
  if (!error) return say("no_answer");
  if (reply.status === 429) return say("too_many", { seconds: reply.headers.get("retry-after") });
  return reply.status === 400 ? error.message : sayError(error.code);
}

let toast = null;

// A line at the edge of the page, read by screen readers, gone after a while.
export function showToast(words, act, name, duration = 6_000) {
  const place = byId("toasts") ?? document.body.appendChild(element("div", { id: "toasts", role: "status" }));
  toast?.remove();
  const mine = (toast = element("div", { class: "toast" }, element("span", {}, words)));
  if (act) mine.append(textButton(name, () => (mine.remove(), act())));
  place.append(mine);
  setTimeout(() => mine.remove(), duration);
}

export class Actions {
  // `list`: {applyChange(conversation)}: shows how a conversation is now; false where the page is left.
  constructor(list) {
    this.list = list;
  }

  async #attempt(work) {
    try {
      return await work();
    } catch (error) {
      showToast(error.message);
      return null;
    }
  }

  change(id, fields) {
    return this.#attempt(async () => {
      const now = await call("PATCH", `conversations/${id}/`, fields);
      this.list.applyChange({ ...now, conversation: id });
      return now;
    });
  }

  openMenu(entry, button) {
    const { conversation: id } = entry.dataset;
    const file = `${data.home}api/v1/conversations/${id}/export/?as=`;
    const pinned = entry.hasAttribute("data-pinned");
    const archived = entry.hasAttribute("data-archived");
    openMenu(button, [
      { name: "rename", act: () => this.rename(entry) },
      { name: pinned ? "unpin" : "pin", act: () => this.change(id, { pinned: !pinned }) },
      { name: "file", act: () => this.chooseFolder(entry) },
      { name: "share", act: () => this.share(entry) },
      { name: "as_markdown", href: `${file}markdown` },
      { name: "as_json", href: `${file}json` },
      { name: archived ? "unarchive" : "archive", act: () => this.archive(id, !archived) },
      { name: "delete", danger: true, act: () => this.delete(entry) },
    ]);
  }

  rename(entry) {
    const link = entry.querySelector("a");
    const field = element("input", { class: "rename", maxlength: "200", dir: "auto", "aria-label": say("new_title") });
    field.value = link.textContent;
    let over = false;
    const end = async (save) => {
      if (over) return;
      over = true;
      const title = field.value.trim();
      const focused = document.activeElement === field;
      field.replaceWith(link);
      if (focused) link.focus();
      if (save && title && title !== link.textContent) await this.change(entry.dataset.conversation, { title });
    };
    on(field, "blur", () => end(true));
    on(field, "keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && !isComposing(event)) end(true);
      if (event.key === "Escape" && !isComposing(event)) end(false);
    });
    link.replaceWith(field);
    field.select();
  }

  async archive(id, archived) {
    const now = await this.change(id, { archived });
    if (now && archived) showToast(say("was_archived"), () => this.change(id, { archived: false }), say("undo"), UNDO_MS);
  }

  delete(entry) {
    const { conversation: id } = entry.dataset;
    return this.#attempt(async () => {
      await call("DELETE", `conversations/${id}/`);
      sessionStorage.setItem(UNDO_KEY, JSON.stringify({ id, until: Date.now() + UNDO_MS }));
      const stays = this.list.applyChange({ conversation: id, deleted: true }) !== false;
      if (stays) this.offerUndo();
    });
  }

  // Also on the page that is loaded after the open conversation was deleted.
  offerUndo() {
    const { id, until } = JSON.parse(sessionStorage.getItem(UNDO_KEY) ?? "{}");
    if (!id || until < Date.now()) return;
    const undo = () =>
      this.#attempt(async () => {
        sessionStorage.removeItem(UNDO_KEY);
        const now = await call("POST", `conversations/${id}/restore/`);
        this.list.applyChange({ ...now, conversation: id });
      });
    showToast(say("was_deleted"), undo, say("undo"), until - Date.now());
  }

  chooseFolder(entry) {
    const folders = [...new Set(findAll("[data-folder]").map((one) => one.dataset.folder))].filter(Boolean).sort();
    const field = element("input", { id: "folder", maxlength: "60", list: "folders", autocomplete: "off", value: entry.dataset.folder });
    const suggestions = element("datalist", { id: "folders" }, ...folders.map((name) => element("option", { value: name })));
    const save = (folder) => this.change(entry.dataset.conversation, { folder });
    const choice = (name) => element("button", { type: "button", class: "chip", onclick: () => (dialog.close(), save(name)) }, name);
    const chips = element("div", { class: "chips" }, ...folders.map(choice));
    const form = element("form", { method: "dialog", onsubmit: () => save(field.value.trim()) }, chips, element("label", { for: "folder" }, say("folder")), field, suggestions);
    const none = textButton(say("no_folder"), () => (dialog.close(), save("")));
    form.append(element("div", { class: "row" }, element("button", { class: "primary" }, say("save")), ...(entry.dataset.folder ? [none] : [])));
    const dialog = openDialog(say("file"), form);
    field.focus();
  }

  async share(entry) {
    const { conversation } = entry.dataset;
    const links = await this.#attempt(() => call("GET", `shares/?conversation=${conversation}`));
    if (!links) return;
    const rows = element("ul", { class: "rows" });
    const show = (link) => {
      const field = element("input", { readonly: true, value: link.url, "aria-label": say("link") });
      const copy = textButton(say("copy_link"), () => copyText(link.url).then(() => showToast(say("copied")), () => field.select()));
      findAll(".primary", form).forEach((other) => other.classList.remove("primary")); // of several the newest link's
      copy.classList.add("primary");
      const row = element("li", {}, field, copy);
      const withdraw = () => this.#attempt(async () => (await call("DELETE", `shares/${link.id}/`), row.remove(), showToast(say("was_withdrawn"))));
      row.append(textButton(say("withdraw"), withdraw));
      rows.append(row);
      return field;
    };
    const named = element("input", { type: "checkbox", id: "with-name" });
    const make = (event) => {
      event.preventDefault();
      this.#attempt(async () => show(await call("POST", "shares/", { conversation, with_name: named.checked })).select());
    };
    const form = element("form", { onsubmit: make }, element("p", { class: "hint" }, say("share_hint")), rows);
    form.append(element("label", { class: "check", for: "with-name" }, named, say("with_name")), element("button", { class: "primary" }, say("make_link")));
    links.results.forEach(show);
    openDialog(say("share"), form);
  }
}

function openDialog(name, content) {
  const closeButton = element("button", { type: "button", class: "icon", "aria-label": say("close"), onclick: () => dialog.close() }, "✕");
  const dialog = element("dialog", { class: "sheet", "aria-label": name }, element("header", {}, element("h2", {}, name), closeButton), content);
  const back = document.activeElement;
  on(dialog, "close", () => (dialog.remove(), back?.isConnected && back.focus()));
  on(dialog, "keydown", (event) => event.stopPropagation());
  on(dialog, "click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
