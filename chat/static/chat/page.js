// The chat page: puts its parts together and takes what the socket says to each.

import { showToast } from "./actions.js";
import { Activity } from "./activity.js";
import { Answer } from "./answer.js";
import { Composer } from "./composer.js";
import { byId, data, fetchHtml, findAll, on, parseHtml, say, sayError } from "./dom.js";
import { History } from "./history.js";
import * as keys from "./keys.js";
import { Scroll } from "./scroll.js";
import "./selection.js";
import { Settings } from "./settings.js";
import * as sidebar from "./sidebar.js";
import { Socket } from "./socket.js";
import { Status } from "./status.js";
import { Submissions } from "./submissions.js";
import { createQuestion, findById, findByKey, list, listAfter, merge } from "./thread.js";
import { Tools } from "./tools.js";
import * as voice from "./voice.js";

const RETRY_MS = 1_500; // before the page is fetched again where that failed
const welcome = byId("welcome");
const announcer = byId("announcer");
const answers = new Map(); // by generation
const scroll = new Scroll();
const activity = new Activity();
const socket = new Socket("/ws/chat/");
const settings = new Settings(socket, (model) => status.setModel(model));
const status = new Status(settings.model);
const composer = new Composer((text) => ask({ text }), stopFirst);
let wasOpen = false;
let loads = 0; // how often the page was loaded again
let isLoading = false; // whether the latest of these has not come yet
let isWaiting = false; // a question is sent again later
let leaf = 0; // the last message of the version that was chosen last

const submissions = new Submissions(socket, {
  onShow() {
    welcome.hidden = true;
    scroll.showEnd();
  },
  onAccept(frame, item) {
    if (!data.conversation && findByKey(frame.client_key)) setConversation(frame.conversation, frame.title);
    showQuestion({ ...frame, text: item?.text });
  },
  onRefuse(item, words) {
    if (words) announcer.textContent = words;
    else if (item.type === "edit") reload();
    if (item.text !== undefined) composer.prepend(item.text);
    if (words) tools.showError(item.message, words);
  },
  onWait(words) {
    if (Boolean(words) !== isWaiting) announcer.textContent = words; // once, not each second
    isWaiting = Boolean(words);
    composer.showWait(words);
  },
});

const tools = new Tools(socket, {
  submit(item) {
    listOpen().forEach(stop);
    submissions.submit({ conversation: data.conversation, ...item });
  },
  removeAfter: (message) => remove(listAfter(message)),
});

const answerEvents = {
  onChange: () => scroll.update(),
  onBegin: () => (announcer.textContent = say("thinking")), // who does not see it hears that it was taken
  onEnd(answer) {
    announcer.textContent = answer.text;
    tools.refresh(answer.article, answer);
    update();
    scroll.update();
  },
  onRetry: (answer) => tools.regenerate(answer.article),
};

function ask(item) {
  submissions.submit({ type: "ask", conversation: data.conversation || null, ...settings.questionFields(), ...item });
}

function addressOf(conversation) {
  return `${data.home}c/${conversation}/`;
}

const listOpen = () => [...answers.values()].filter((answer) => answer.isOpen);

function update() {
  const open = listOpen();
  composer.showStop(open.length > 0);
  open.forEach((answer, index) => answer.setBehind(index > 0));
  if (data.conversation) activity.set(data.conversation, open.length > 0);
}

// A chat that had no address has one now.
function setConversation(conversation, title) {
  composer.moveDraft(conversation);
  history.replaceState(null, "", addressOf(conversation));
  document.title = `${title} · Jarvis`;
  byId("title").textContent = title;
  submissions.setConversation(conversation);
}

// Something is in the queue, asked here or in another window. It takes the place of what followed the same message.
// `isOwn`: in this window, whose reader then wants to see it.
function showQuestion(frame, isOwn = true) {
  const here = frame.conversation === data.conversation;
  sidebar.moveToTop(frame.conversation, frame.title, addressOf(frame.conversation), here);
  if (!here) activity.add(frame.conversation);
  if (!here || answers.has(frame.generation)) return;
  leaf = frame.answer;
  if (isLoading) reload(); // what comes may be older than this, and would take it away again
  const before = frame.follows && findById(frame.follows);
  let question = findById(frame.question);
  if (!question) {
    if (frame.follows && !before) return void reload();
    remove(listAfter(before));
    question = (frame.client_key && findByKey(frame.client_key)) ?? createQuestion(frame.client_key ?? "", frame.text ?? "");
    if (before) before.after(question);
    else if (!question.isConnected) list.append(question);
    question.dataset.message = frame.question;
    welcome.hidden = true;
  } else remove(listAfter(question));
  question.dataset.versions = frame.question_versions.join();
  tools.refresh(question);
  const answer = Answer.create(frame.answer, frame.generation, answerEvents);
  Object.assign(answer.article.dataset, { versions: frame.answer_versions.join(), model: frame.model });
  answers.set(frame.generation, answer);
  question.after(answer.article);
  tools.refresh(answer.article, answer);
  if (before) tools.refresh(before); // it is not the last any more
  follow(answer);
  update();
  if (isOwn) scroll.showEnd();
  else scroll.update();
}

function follow(answer) {
  socket.send({ type: "follow", generation: answer.generation, as: "html" });
}

function stop(answer) {
  socket.send({ type: "stop", generation: answer.generation });
}

// The one that grows; what was asked behind it is answered then.
function stopFirst() {
  listOpen().slice(0, 1).forEach(stop);
}

// These are not shown any more; what grows there goes on, but is not told.
function remove(articles) {
  for (const article of articles) {
    const answer = answers.get(article.dataset.generation);
    if (answer?.isOpen) socket.send({ type: "unfollow", generation: answer.generation });
    answers.delete(article.dataset.generation);
    article.remove();
  }
}

function addMessage(article) {
  const answer = article.matches(".assistant") ? new Answer(article, answerEvents) : undefined;
  if (answer?.generation) answers.set(answer.generation, answer);
  tools.refresh(article, answer);
}

// What the server's page has: after a gap, and where another version is shown.
async function reload() {
  const turn = ++loads;
  isLoading = true;
  try {
    const reply = await fetchHtml(location.href);
    if (reply.redirected) return; // to the sign-in, as the socket will say
    if (!reply.ok) throw new Error(`page: ${reply.status}`);
    const fresh = await parseHtml(reply);
    if (turn !== loads) return; // a newer one is on its way
    sidebar.replaceList(fresh.getElementById("conversations"));
    const { added, changed, gone } = merge(fresh);
    remove(gone);
    added.forEach(addMessage);
    changed.forEach((article) => tools.refresh(article));
    for (const article of added) {
      const answer = answers.get(article.dataset.generation);
      if (answer?.isOpen) follow(answer);
    }
    olderMessages.watch();
    activity.mark();
    update();
    scroll.update();
  } catch (error) {
    console.info("the page is loaded again later", error);
    setTimeout(() => turn === loads && socket.isOpen && reload(), RETRY_MS);
  } finally {
    if (turn === loads) isLoading = false;
  }
}

// The socket

on(socket, "open", () => {
  status.setConnection("open");
  for (const answer of answers.values()) if (answer.isOpen) follow(answer);
  if (wasOpen && data.conversation) reload();
  sidebar.showVersion(socket);
  wasOpen = true;
});

on(socket, "lost", () => status.setConnection("reconnecting"));

on(socket, "signed-out", () => location.assign(`${data.signIn}?next=${encodeURIComponent(location.pathname)}`));

const handlers = {
  state(frame) {
    status.setEngine(frame);
    settings.markReady(frame.ready);
  },
  accepted: (frame) => submissions.accept(frame),
  conversation: (frame) => showQuestion(frame, false),
  error(frame) {
    if (submissions.refuse(frame) || settings.refuse(frame) || tools.refuse(frame)) return;
    showToast(sayError(frame.code)); // of a follow, a stop or another version
  },
  growing: (frame) => activity.replace(frame.conversations),
  changed: (frame) => sidebar.applyChange(frame),
  details: (frame) => tools.showDetails(frame),
  configured: (frame) => frame.conversation === data.conversation && settings.apply(frame),
  shown(frame) {
    if (frame.conversation !== data.conversation || frame.leaf === leaf) return; // told twice where it was chosen here
    leaf = frame.leaf;
    reload();
  },
};

on(socket, "frame", ({ detail: frame }) => {
  if (handlers[frame.type]) handlers[frame.type](frame);
  else answers.get(frame.generation)?.applyFrame(frame);
});

findAll(".suggestions button").forEach((button) =>
  on(button, "click", () => {
    ask({ text: button.textContent }); // what is typed stays
    composer.focus();
  }),
);

if (location.search.includes("before=")) location.replace(location.pathname); // pages are for readers without script
findAll(".message", list).forEach(addMessage);
const olderMessages = new History(scroll, addMessage);
on(window, "beforeprint", () => olderMessages.fetchAllNow());
keys.bindKeys({ composer, stop: stopFirst, closeDrawer: sidebar.closeDrawer });
voice.enableDictation(composer);
submissions.restore(data.conversation);
update();
if (!sidebar.showHit()) scroll.showEnd();
socket.open();
