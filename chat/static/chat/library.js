// The page of all conversations: menus, links that are withdrawn, import of files.

import { Actions, call, showToast } from "./actions.js";
import { byId, element, fetchHtml, on, onSubmit, parseHtml, say } from "./dom.js";

const collection = byId("collection");
const actions = new Actions({ applyChange });
actions.offerUndo();

// What has changed may belong elsewhere in the list now, or nowhere: the server knows.
function applyChange({ conversation, deleted, title }) {
  const entry = collection.querySelector(`li[data-conversation="${CSS.escape(conversation)}"]`);
  if (deleted) entry?.remove();
  else if (entry && entry.querySelector("a").textContent !== title) entry.querySelector("a").textContent = title;
  else location.reload();
}

on(collection, "click", (event) => {
  const button = event.target.closest(".more");
  if (button) actions.openMenu(button.closest("li"), button);
});

on(byId("shares"), "click", async (event) => {
  const button = event.target.closest(".withdraw");
  if (!button) return;
  const row = button.closest("li");
  try {
    await call("DELETE", `shares/${row.dataset.share}/`);
    row.remove();
    showToast(say("was_withdrawn"));
  } catch (error) {
    showToast(error.message);
  }
});

const form = byId("import");
const status = byId("import-status");

onSubmit(form, async () => {
  const button = form.querySelector("button");
  const file = form.elements.file.files[0];
  status.classList.remove("fault");
  if (file.size > Number(form.dataset.largest)) return showError(say("too_large", { size: Math.floor(form.dataset.largest / 1e6) }));
  button.disabled = true;
  status.textContent = say("importing");
  try {
    const report = await call("POST", "conversations/import/", new FormData(form));
    status.textContent = describeImport(report);
    byId("import-notes").replaceChildren(...report.notes.map((note) => element("li", {}, note)));
    if (report.imported) refresh();
  } catch (error) {
    showError(error.message);
  } finally {
    button.disabled = false;
  }
});

// What was imported, and of what was left out only what there is.
function describeImport(report) {
  const { unreadable, messages, attachments, shortened } = report;
  const lost = Object.entries({ unreadable, messages_left_out: messages, attachments_left_out: attachments, messages_shortened: shortened });
  const words = lost.filter(([, count]) => count).map(([name]) => say(name, report));
  return [say("was_imported", report), ...words].join(" ");
}

function showError(words) {
  byId("import-notes").replaceChildren();
  status.classList.add("fault");
  status.textContent = words;
}

async function refresh() {
  const fresh = await parseHtml(await fetchHtml(location.href));
  collection.replaceChildren(...fresh.getElementById("collection").childNodes);
}
