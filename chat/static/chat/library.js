// The page of all conversations: menus, links that are withdrawn, import of files.

import { Actions, call, tell } from "./actions.js";
import { say } from "./words.js";

const collection = document.getElementById("collection");
const actions = new Actions({ changed });
actions.offerUndo();

// What has changed may belong elsewhere in the list now, or nowhere: the server knows.
function changed({ conversation, deleted, title }) {
  const entry = collection.querySelector(`li[data-conversation="${CSS.escape(conversation)}"]`);
  if (deleted) entry?.remove();
  else if (entry && entry.querySelector("a").textContent !== title) entry.querySelector("a").textContent = title;
  else location.reload();
}

collection.addEventListener("click", (event) => {
  const button = event.target.closest(".more");
  if (button) actions.menu(button.closest("li"), button);
});

document.getElementById("shares").addEventListener("click", async (event) => {
  const button = event.target.closest(".withdraw");
  if (!button) return;
  const row = button.closest("li");
  try {
    await call("DELETE", `shares/${row.dataset.share}/`);
    row.remove();
    tell(say("was_withdrawn"));
  } catch (error) {
    tell(error.message);
  }
});

const form = document.getElementById("import");
const told = document.getElementById("import-told");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const file = form.elements.file.files[0];
  told.classList.remove("fault");
  if (file.size > Number(form.dataset.largest)) return fault(say("too_large", { size: Math.floor(form.dataset.largest / 1e6) }));
  button.disabled = true;
  told.textContent = say("importing");
  try {
    const { imported, skipped, empty } = await call("POST", "conversations/import/", new FormData(form));
    told.textContent = say("was_imported", { imported, skipped, empty });
    if (imported) refresh();
  } catch (error) {
    fault(error.message);
  } finally {
    button.disabled = false;
  }
});

function fault(words) {
  told.classList.add("fault");
  told.textContent = words;
}

async function refresh() {
  const reply = await fetch(location.href, { headers: { accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  collection.replaceChildren(...fresh.getElementById("collection").childNodes);
}
