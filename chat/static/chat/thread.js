// The messages that are shown, in their order, and what becomes of them when another version is.

import { element, say } from "./words.js";

export const list = document.getElementById("messages");

export function byId(id) {
  return list.querySelector(`.message[data-message="${CSS.escape(id)}"]`);
}

export function byKey(key) {
  return list.querySelector(`.user[data-key="${CSS.escape(key)}"]`);
}

export function last(kind) {
  return [...list.querySelectorAll(`.message.${kind}`)].at(-1);
}

export function question(key, text) {
  const heading = element("h2", { class: "hidden" }, say("you"));
  return element("article", { class: "message user", "data-key": key }, heading, element("div", { class: "said" }, text));
}

// The messages after one (null: all of them), but for questions that are not accepted yet.
export function after(message) {
  const messages = [...list.querySelectorAll(".message")];
  return messages.slice(message ? messages.indexOf(message) + 1 : 0).filter((one) => one.dataset.message);
}

// A line under a message that says what has become of it; null takes it away.
export function fate(article, parts, fault = false) {
  article?.querySelector(":scope > .fate")?.remove();
  if (article && parts) article.append(element("p", { class: fault ? "fate fault" : "fate" }, ...parts));
}

// Makes the list what the server's page has. Messages that are in both stay; gives those that are new, those that have
// other versions beside them now, and those that are gone.
export function adopt(fresh) {
  const wanted = [...fresh.querySelectorAll("#messages .message")];
  const ids = new Set(wanted.map((article) => article.dataset.message));
  const start = wanted.length ? byId(wanted[0].dataset.message) : null;
  const gone = after(start).filter((article) => !ids.has(article.dataset.message));
  gone.forEach((article) => article.remove());
  const added = [];
  const changed = [];
  if (!start) {
    list.querySelectorAll(".earlier").forEach((link) => link.remove());
    list.prepend(...fresh.querySelectorAll("#messages .earlier"));
  }
  let place = start ?? list.querySelector(".earlier");
  for (const article of wanted) {
    const known = byId(article.dataset.message) ?? (article.dataset.key && byKey(article.dataset.key));
    if (known) {
      const { message, versions = "" } = article.dataset;
      if (known.dataset.message !== message || (known.dataset.versions || message) !== (versions || message)) changed.push(known);
      Object.assign(known.dataset, { message, versions });
      place = known;
      continue;
    }
    const adopted = document.importNode(article, true);
    if (place) place.after(adopted);
    else list.prepend(adopted);
    added.push(adopted);
    place = adopted;
  }
  return { added, changed, gone };
}
