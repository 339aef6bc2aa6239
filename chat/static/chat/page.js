// The chat page: puts its parts together and takes what the socket says to each.

import { Answer } from "./answer.js";
import { Asking } from "./asking.js";
import { Composer } from "./composer.js";
import { Earlier } from "./earlier.js";
import { Growing } from "./growing.js";
import * as keys from "./keys.js";
import { Scroll } from "./scroll.js";
import { Settings } from "./settings.js";
import * as sidebar from "./sidebar.js";
import { Socket } from "./socket.js";
import { State } from "./state.js";
import * as thread from "./thread.js";
import { Tools } from "./tools.js";
import * as voice from "./voice.js";

const RETRY = 1_500; // milliseconds before the page is fetched again where that failed
const data = document.body.dataset;
const welcome = document.getElementById("welcome");
const spoken = document.getElementById("spoken");
const answers = new Map(); // by generation
const scroll = new Scroll();
const state = new State();
const growing = new Growing();
const socket = new Socket("/ws/chat/");
const settings = new Settings(socket);
const composer = new Composer((text) => ask({ text }), stop);
let wasOpen = false;
let catching = 0; // how often it was begun
let underWay = false; // whether the latest is still to come
let leaf = 0; // the last message of the version that was chosen last

const asking = new Asking(socket, {
  asked() {
    welcome.hidden = true;
    scroll.toEnd();
  },
  accepted(frame, item) {
    if (!data.conversation && thread.byKey(frame.client_key)) enter(frame.conversation, frame.title);
    asked({ ...frame, text: item?.text });
  },
  refused(item, words) {
    if (words) spoken.textContent = words;
    else if (item.type === "edit") catchUp();
    if (item.text !== undefined) composer.fill(item.text);
    if (words) tools.refused(item.message, words);
  },
});

const tools = new Tools(socket, {
  put(item) {
    stop();
    asking.put({ conversation: data.conversation, ...item });
  },
  cut: (message) => forget(thread.after(message)),
});

const page = {
  grew: () => scroll.grew(),
  ended(answer) {
    spoken.textContent = answer.text;
    tools.dress(answer.article, answer);
    update();
    scroll.grew();
  },
  again: (answer) => tools.regenerate(answer.article),
};

function ask(item) {
  asking.put({ type: "ask", conversation: data.conversation || null, ...settings.forQuestion(), ...item });
}

function addressOf(conversation) {
  return `${data.home}c/${conversation}/`;
}

function update() {
  const open = [...answers.values()].some((answer) => answer.isOpen);
  composer.growing(open);
  if (data.conversation) growing.here(data.conversation, open);
}

// A chat that had no address has one now.
function enter(conversation, title) {
  data.conversation = conversation;
  history.replaceState(null, "", addressOf(conversation));
  document.title = `${title} · Jarvis`;
  document.getElementById("title").textContent = title;
  asking.settle(conversation);
}

// Something is in the queue, asked here or in another window. It takes the place of what followed the same message.
function asked(frame) {
  const here = frame.conversation === data.conversation;
  sidebar.raise(frame.conversation, frame.title, addressOf(frame.conversation), here);
  if (!here) growing.add(frame.conversation);
  if (!here || answers.has(frame.generation)) return;
  leaf = frame.answer;
  if (underWay) catchUp(); // what comes may be older than this, and would take it away again
  const before = frame.follows && thread.byId(frame.follows);
  let question = thread.byId(frame.question);
  if (!question) {
    if (frame.follows && !before) return void catchUp();
    forget(thread.after(before));
    question = (frame.client_key && thread.byKey(frame.client_key)) ?? thread.question(frame.client_key ?? "", frame.text ?? "");
    if (before) before.after(question);
    else if (!question.isConnected) thread.list.append(question);
    question.dataset.message = frame.question;
    welcome.hidden = true;
  } else forget(thread.after(question));
  question.dataset.versions = frame.question_versions.join();
  tools.dress(question);
  const answer = Answer.make(frame.answer, frame.generation, page);
  Object.assign(answer.article.dataset, { versions: frame.answer_versions.join(), model: frame.model });
  answers.set(frame.generation, answer);
  question.after(answer.article);
  tools.dress(answer.article, answer);
  if (before) tools.dress(before); // it is not the last any more
  follow(answer);
  update();
  scroll.toEnd();
}

function follow(answer) {
  socket.send({ type: "follow", generation: answer.generation, as: "html" });
}

function stop() {
  for (const answer of answers.values()) {
    if (answer.isOpen) socket.send({ type: "stop", generation: answer.generation });
  }
}

// These are not shown any more; what grows there goes on, but is not told.
function forget(articles) {
  for (const article of articles) {
    const answer = answers.get(article.dataset.generation);
    if (answer?.isOpen) socket.send({ type: "unfollow", generation: answer.generation });
    answers.delete(article.dataset.generation);
    article.remove();
  }
}

function take(article) {
  const answer = article.matches(".assistant") ? new Answer(article, page) : undefined;
  if (answer?.generation) answers.set(answer.generation, answer);
  tools.dress(article, answer);
}

// What the server's page has: after a gap, and where another version is shown.
async function catchUp() {
  const turn = ++catching;
  underWay = true;
  try {
    const reply = await fetch(location.href, { headers: { accept: "text/html" } });
    if (reply.redirected) return; // to the sign-in, as the socket will say
    if (!reply.ok) throw new Error(`page: ${reply.status}`);
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
    if (turn !== catching) return; // a newer one is on its way
    sidebar.show(fresh.getElementById("conversations"));
    const { added, changed, gone } = thread.adopt(fresh);
    forget(gone);
    added.forEach(take);
    changed.forEach((article) => tools.dress(article));
    for (const article of added) {
      const answer = answers.get(article.dataset.generation);
      if (answer?.isOpen) follow(answer);
    }
    earlier.watch();
    growing.show();
    update();
    scroll.grew();
  } catch (error) {
    console.info("catching up is tried again", error);
    setTimeout(() => turn === catching && socket.isOpen && catchUp(), RETRY);
  } finally {
    if (turn === catching) underWay = false;
  }
}

// The socket

socket.addEventListener("open", () => {
  state.line("open");
  for (const answer of answers.values()) if (answer.isOpen) follow(answer);
  if (wasOpen && data.conversation) catchUp();
  sidebar.showVersion(socket);
  wasOpen = true;
});

socket.addEventListener("lost", () => state.line("reconnecting"));

socket.addEventListener("signed-out", () => location.assign(`${data.signIn}?next=${encodeURIComponent(location.pathname)}`));

const heard = {
  state(frame) {
    state.engine(frame);
    settings.ready(frame.ready);
  },
  accepted: (frame) => asking.accepted(frame),
  conversation: asked,
  error: (frame) => asking.refused(frame),
  growing: (frame) => growing.all(frame.conversations),
  changed: (frame) => sidebar.changed(frame),
  details: (frame) => tools.details(frame),
  configured: (frame) => frame.conversation === data.conversation && settings.configured(frame),
  shown(frame) {
    if (frame.conversation !== data.conversation || frame.leaf === leaf) return; // told twice where it was chosen here
    leaf = frame.leaf;
    catchUp();
  },
};

socket.addEventListener("frame", ({ detail: frame }) => {
  if (heard[frame.type]) heard[frame.type](frame);
  else answers.get(frame.generation)?.hear(frame);
});

document.querySelectorAll(".suggestions button").forEach((button) =>
  button.addEventListener("click", () => {
    composer.fill(button.textContent);
    composer.submit();
  }),
);

if (location.search.includes("before=")) location.replace(location.pathname); // pages are for readers without script
thread.list.querySelectorAll(".message").forEach(take);
const earlier = new Earlier(scroll, take);
keys.listen({ composer, stop, closeDrawer: sidebar.closeDrawer });
voice.listen(composer);
asking.restore(data.conversation);
update();
if (!sidebar.showHit()) scroll.toEnd();
socket.open();
