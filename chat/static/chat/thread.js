// The messages that are shown, in their order, and what becomes of them when another version is.

import { element, findAll, say } from "./dom.js";

export const list = document.getElementById("messages");

export function findById(id) {
  return list.querySelector(`.message[data-message="${CSS.escape(id)}"]`);
}

export function findByKey(key) {
  return list.querySelector(`.user[data-key="${CSS.escape(key)}"]`);
}

export function findLast(kind) {
  return findAll(`.message.${kind}`, list).at(-1);
}

export function createQuestion(key, text) {
  const heading = element("h2", { class: "hidden" }, say("you"));
  return element("article", { class: "message user", "data-key": key }, heading, element("div", { class: "said" }, text));
}

// The messages after one (null: all of them), but for questions that are not accepted yet.
export function listAfter(message) {
  const messages = findAll(".message", list);
  return messages.slice(message ? messages.indexOf(message) + 1 : 0).filter((one) => one.dataset.message);
}

// A line under a message that says what has become of it; null takes it away.
export function setNote(article, parts, fault = false) {
  article?.querySelector(":scope > .fate")?.remove();
  if (article && parts) article.append(element("p", { class: fault ? "fate fault" : "fate" }, ...parts));
}

// Makes the list what the server's page has. Messages that are in both stay; gives those that are new, those that have
// other versions beside them now, and those that are gone.
export function merge(fresh) {
  const wanted = findAll("#messages .message", fresh);
  const ids = new Set(wanted.map((article) => article.dataset.message));
  const start = wanted.length ? findById(wanted[0].dataset.message) : null;
  const gone = listAfter(start).filter((article) => !ids.has(article.dataset.message));
  gone.forEach((article) => article.remove());
  const added = [];
  const changed = [];
  if (!start) {
    findAll(".earlier", list).forEach((link) => link.remove());
    list.prepend(...findAll("#messages .earlier", fresh));
  }
  let place = start ?? list.querySelector(".earlier");
  for (const article of wanted) {
    const known = findById(article.dataset.message) ?? (article.dataset.key && findByKey(article.dataset.key));
    if (known) {
      const { message, versions = "" } = article.dataset;
      if (known.dataset.message !== message || (known.dataset.versions || message) !== (versions || message)) changed.push(known);
      Object.assign(known.dataset, { message, versions });
      place = known;
      continue;
    }
    const imported = document.importNode(article, true);
    if (place) place.after(imported);
    else list.prepend(imported);
    added.push(imported);
    place = imported;
  }
  return { added, changed, gone };
}
