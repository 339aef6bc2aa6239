// The chat page: puts its parts together and takes what the socket says to each.

import { Answer } from "./answer.js";
import { Composer } from "./composer.js";
import { Earlier } from "./earlier.js";
import { newKey, Outbox } from "./outbox.js";
import { Scroll } from "./scroll.js";
import * as sidebar from "./sidebar.js";
import { Socket } from "./socket.js";
import { State } from "./state.js";
import { element, say } from "./words.js";

const RETRY = 3_000; // milliseconds before a question that found no room is sent again
const PASSING = new Set(["overloaded", "model_loading", "unavailable"]);

const data = document.body.dataset;
const list = document.getElementById("messages");
const welcome = document.getElementById("welcome");
const spoken = document.getElementById("spoken");
const answers = new Map(); // by generation
const elsewhere = new Map(); // generation → conversation, of answers that grow in other conversations
const outbox = new Outbox();
const scroll = new Scroll();
const state = new State();
const socket = new Socket("/ws/chat/");
let wasOpen = false;

const composer = new Composer(
  (text) => ask({ client_key: newKey(), text, conversation: data.conversation || null, model: composer.model }),
  stop,
);

const page = {
  grew: () => scroll.grew(),
  ended(answer) {
    spoken.textContent = answer.text;
    update();
    scroll.grew();
  },
  again(answer) {
    let question = answer.article.previousElementSibling;
    while (question && !question.matches(".user")) question = question.previousElementSibling;
    const text = question?.querySelector(".said").textContent;
    if (text) ask({ client_key: newKey(), text, conversation: data.conversation || null });
  },
};

function addressOf(conversation) {
  return `${data.home}c/${conversation}/`;
}

function update() {
  const open = [...answers.values()].some((answer) => answer.isOpen);
  composer.growing(open);
  if (data.conversation) sidebar.growing(data.conversation, open);
}

// Questions

function ask(question) {
  outbox.put(question);
  showQuestion(question.client_key, question.text);
  if (outbox.sendable.includes(question)) send(question);
  else fate(question.client_key, [say("sending")]);
}

function send(question) {
  const { client_key, text, conversation, model } = question;
  const frame = { type: "ask", client_key, text };
  if (conversation) frame.conversation = conversation;
  if (model) frame.model = model;
  fate(client_key, socket.send(frame) ? [say("sending")] : [say("unsent")]);
}

function questionOf(key) {
  return list.querySelector(`.user[data-key="${CSS.escape(key)}"]`);
}

function showQuestion(key, text, id) {
  const article = questionOf(key) ?? element("article", { class: "message user", "data-key": key }, element("h2", { class: "hidden" }, say("you")), element("div", { class: "said" }, text));
  if (id) article.dataset.message = id;
  if (!article.isConnected) list.append(article);
  welcome.hidden = true;
  scroll.toEnd();
}

function fate(key, parts, fault = false) {
  const article = questionOf(key);
  article?.querySelector(".fate")?.remove();
  if (article && parts) article.append(element("p", { class: fault ? "fate fault" : "fate" }, ...parts));
}

function accepted(frame) {
  outbox.take(frame.client_key);
  fate(frame.client_key, null);
  if (!data.conversation && questionOf(frame.client_key)) {
    enter(frame.conversation, frame.title);
    outbox.sendable.forEach(send);
  }
  asked(frame);
}

// A chat that had no address has one now.
function enter(conversation, title) {
  data.conversation = conversation;
  outbox.settle(conversation);
  history.replaceState(null, "", addressOf(conversation));
  document.title = `${title} · Jarvis`;
  document.getElementById("title").textContent = title;
}

// A question is in the queue, asked here or in another window.
function asked(frame) {
  const here = frame.conversation === data.conversation;
  sidebar.raise(frame.conversation, frame.title, addressOf(frame.conversation), here);
  if (!here) {
    sidebar.growing(frame.conversation, true);
    elsewhere.set(frame.generation, frame.conversation);
    socket.send({ type: "follow", generation: frame.generation, after: "0-0" });
    return;
  }
  if (answers.has(frame.generation)) return;
  const key = frame.client_key ?? newKey();
  showQuestion(key, frame.text ?? "", frame.question);
  const answer = Answer.make(frame.answer, frame.generation, page);
  answers.set(frame.generation, answer);
  questionOf(key).after(answer.article);
  follow(answer);
  update();
  scroll.grew();
}

function refused(frame) {
  const key = frame.reply_to;
  if (!outbox.has(key)) return;
  if (PASSING.has(frame.code)) {
    fate(key, [say("retrying", { message: frame.message })]);
    setTimeout(() => outbox.has(key) && send(outbox.get(key)), RETRY);
    return;
  }
  const { text } = outbox.take(key);
  const edit = () => {
    questionOf(key)?.remove();
    composer.fill(text);
  };
  fate(key, [say("refused", { message: frame.message }), element("button", { type: "button", onclick: edit }, say("edit"))], true);
}

// Answers

function follow(answer) {
  socket.send({ type: "follow", generation: answer.generation, as: "html" });
}

function stop() {
  for (const answer of answers.values()) {
    if (answer.isOpen) socket.send({ type: "stop", generation: answer.generation });
  }
}

function take(article) {
  if (article.matches(".assistant") && article.dataset.generation) {
    const answer = new Answer(article, page);
    answers.set(answer.generation, answer);
  } else if (article.matches(".assistant")) {
    new Answer(article, page);
  }
}

// After a gap: what was said meanwhile in this conversation, in other windows, is on the server's page.
async function catchUp() {
  const reply = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!reply.ok || reply.redirected) return;
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  document.querySelector("#conversations ul").replaceChildren(...fresh.querySelectorAll("#conversations li"));
  for (const article of fresh.querySelectorAll("#messages .message")) {
    const known = list.querySelector(`[data-message="${CSS.escape(article.dataset.message)}"]`);
    if (known || (article.dataset.key && questionOf(article.dataset.key)) || answers.has(article.dataset.generation)) continue;
    const adopted = document.importNode(article, true);
    list.append(adopted);
    take(adopted);
    const answer = answers.get(adopted.dataset.generation);
    if (answer?.isOpen) follow(answer);
  }
  update();
  scroll.grew();
}

// The socket

socket.addEventListener("open", () => {
  state.line("open");
  for (const answer of answers.values()) if (answer.isOpen) follow(answer);
  for (const generation of elsewhere.keys()) socket.send({ type: "follow", generation, after: "0-0" });
  outbox.sendable.forEach(send);
  if (wasOpen && data.conversation) catchUp().catch((error) => console.warn("catching up waits for the next connection", error));
  wasOpen = true;
});

socket.addEventListener("lost", () => {
  state.line("reconnecting");
  for (const question of outbox.questions) fate(question.client_key, [say("unsent")]);
});

socket.addEventListener("signed-out", () => location.assign(`${data.signIn}?next=${encodeURIComponent(location.pathname)}`));

socket.addEventListener("frame", ({ detail: frame }) => {
  if (frame.type === "state") state.engine(frame);
  else if (frame.type === "accepted") accepted(frame);
  else if (frame.type === "conversation") asked(frame);
  else if (frame.type === "error") refused(frame);
  else if (answers.has(frame.generation)) answers.get(frame.generation).hear(frame);
  else if (frame.type === "end" && elsewhere.has(frame.generation)) {
    sidebar.growing(elsewhere.get(frame.generation), false);
    elsewhere.delete(frame.generation);
  }
});

// Keys

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented) return;
  if (!sidebar.closeDrawer()) stop();
});

document.querySelectorAll(".suggestions button").forEach((button) =>
  button.addEventListener("click", () => {
    composer.fill(button.textContent);
    composer.submit();
  }),
);

if (location.search.includes("before=")) location.replace(location.pathname); // pages are for readers without script
list.querySelectorAll(".message").forEach(take);
new Earlier(scroll, take);
for (const question of outbox.questions) {
  if ((question.conversation ?? "") === data.conversation) showQuestion(question.client_key, question.text);
}
update();
scroll.toEnd();
socket.open();
