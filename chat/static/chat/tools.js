// What can be done with a message: put it in other words, have another answer, go on, step between versions, look
// behind it, hear it.

import { OPEN_STATUSES } from "./answer.js";
import { Details } from "./details.js";
import { element, findAll, iconButton, say, textButton } from "./dom.js";
import { openEditor } from "./editor.js";
import { popover } from "./popover.js";
import { findById, list, listAfter, setNote } from "./thread.js";
import { speakButton } from "./voice.js";

const listModels = (options) => findAll(`#model ${options}`).map((option) => option.value);
const models = listModels("option");
const continuable = listModels("[data-can-continue]");

export class Tools {
  #socket;
  #page;
  #details;
  #answers = new WeakMap(); // by article
  #focus = null; // where the focus goes when the version has come that was stepped to

  // `page`: {submit(item), removeAfter(message)}
  constructor(socket, page) {
    this.#socket = socket;
    this.#page = page;
    this.#details = new Details(socket);
  }

  showDetails(frame) {
    this.#details.show(frame);
  }

  refuse(frame) {
    return this.#details.refuse(frame);
  }

  // Gives a message its buttons, again where they are there already.
  refresh(article, answer = this.#answers.get(article)) {
    if (answer) this.#answers.set(article, answer);
    findAll(".versions, .message-tool", article).forEach((old) => old.remove());
    const isOpen = OPEN_STATUSES.has(article.dataset.status);
    const own = isOpen ? [] : article.matches(".user") ? this.#questionButtons(article) : this.#answerButtons(article, answer);
    const buttons = [...this.#versionSteps(article), ...own];
    if (!buttons.length) return;
    let place = article.querySelector(":scope > .tools");
    if (!place) article.append((place = element("div", { class: "tools" })));
    place.append(...buttons);
    if (this.#focus?.message === article.dataset.message) {
      place.querySelector(`.versions .${this.#focus.way}:enabled, .versions button:enabled`)?.focus();
      this.#focus = null;
    }
  }

  #questionButtons(article) {
    if (!article.dataset.message) return [];
    return [markTool(iconButton("pen", say("edit"), () => openEditor(article, (text) => this.#submitEdit(article, text))))];
  }

  #answerButtons(article, answer) {
    const buttons = [this.#retryButton(article)];
    if (article.dataset.generation) buttons.push(this.#details.createButton(article.dataset.generation));
    if (answer?.text) buttons.push(...speakButton(() => answer.text));
    const note = article.querySelector(":scope > .fate");
    if (note && this.#canContinue(article, answer)) {
      const can = continuable.includes(article.dataset.model);
      note.append(markTool(can ? textButton(say("continue"), () => this.#continue(article)) : element("span", {}, ` ${say("cannot_go_on")}`)));
    }
    return buttons.map(markTool);
  }

  #retryButton(article) {
    if (models.length < 2) return iconButton("again", say("regenerate"), () => this.regenerate(article));
    const choice = (model) => textButton(model, () => this.regenerate(article, model));
    return popover("again", say("regenerate"), element("div", { class: "card-small menu" }, element("p", {}, say("again_with")), ...models.map(choice)));
  }

  #canContinue(article, answer) {
    const { status, finish } = article.dataset;
    return (status === "stopped" || status === "failed" || finish === "length") && answer?.text && !listAfter(article).length;
  }

  #versionSteps(article) {
    const ids = article.dataset.versions?.split(",") ?? [];
    if (ids.length < 2) return [];
    const here = ids.indexOf(article.dataset.message);
    const step = (way, to, words) => {
      const button = iconButton(way, words, () => this.#showVersion(to, way));
      button.classList.add(way);
      button.disabled = !to;
      return button;
    };
    const place = element("span", {}, element("span", { class: "hidden" }, say("version")), ` ${here + 1}/${ids.length} `);
    const group = { class: "versions", role: "group", "aria-label": say("versions") };
    return [element("div", group, step("prev", ids[here - 1], say("previous_version")), place, step("next", ids[here + 1], say("next_version")))];
  }

  #showVersion(message, way) {
    this.#focus = { message, way };
    this.#socket.send({ type: "show", message: Number(message) });
  }

  #submitEdit(article, text) {
    const message = Number(article.dataset.message);
    const messages = findAll(".message", list);
    this.#page.removeAfter(messages[messages.indexOf(article) - 1] ?? null);
    this.#page.submit({ type: "edit", message, text });
  }

  regenerate(article, model) {
    this.#page.submit({ type: "regenerate", message: Number(article.dataset.message), model });
  }

  #continue(article) {
    this.#page.submit({ type: "continue", message: Number(article.dataset.message) });
  }

  // What was asked of a message is not done.
  showError(message, words) {
    const article = findById(message);
    if (article) setNote(article, [words], true);
  }
}

function markTool(button) {
  button.classList.add("message-tool");
  return button;
}
