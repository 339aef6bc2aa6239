// What can be done with a message: put it in other words, have another answer, go on, step between versions, look
// behind it, hear it.

import { edit } from "./editor.js";
import { Facts } from "./facts.js";
import { pop } from "./pop.js";
import { after, byId, fate, list } from "./thread.js";
import { speaker } from "./voice.js";
import { element, iconButton, say, textButton } from "./words.js";

const GROWING = new Set(["queued", "running"]);
const values = (options) => [...document.querySelectorAll(`#model ${options}`)].map((option) => option.value);
const models = values("option");
const goOn = values("[data-goes-on]");

export class Tools {
  #socket;
  #page;
  #facts;
  #answers = new WeakMap(); // by article
  #focus = null; // where the focus goes when the version has come that was stepped to

  // `page`: {put(item), cut(message)}
  constructor(socket, page) {
    this.#socket = socket;
    this.#page = page;
    this.#facts = new Facts(socket);
  }

  details(frame) {
    this.#facts.show(frame);
  }

  // Gives a message its buttons, again where they are there already.
  dress(article, answer = this.#answers.get(article)) {
    if (answer) this.#answers.set(article, answer);
    article.querySelectorAll(".versions, .own").forEach((old) => old.remove());
    const growing = GROWING.has(article.dataset.status);
    const own = growing ? [] : article.matches(".user") ? this.#ofQuestion(article) : this.#ofAnswer(article, answer);
    const buttons = [...this.#versions(article), ...own];
    if (!buttons.length) return;
    let place = article.querySelector(":scope > .tools");
    if (!place) article.append((place = element("div", { class: "tools" })));
    place.append(...buttons);
    if (this.#focus?.message === article.dataset.message) {
      place.querySelector(`.versions .${this.#focus.way}:enabled, .versions button:enabled`)?.focus();
      this.#focus = null;
    }
  }

  #ofQuestion(article) {
    if (!article.dataset.message) return [];
    return [mark(iconButton("pen", say("edit"), () => edit(article, (text) => this.#edit(article, text))))];
  }

  #ofAnswer(article, answer) {
    const made = [this.#again(article)];
    if (article.dataset.generation) made.push(this.#facts.button(article.dataset.generation));
    if (answer?.text) made.push(...speaker(() => answer.text));
    const note = article.querySelector(":scope > .fate");
    if (note && this.#broke(article, answer)) {
      const can = goOn.includes(article.dataset.model);
      note.append(mark(can ? textButton(say("continue"), () => this.#goOn(article)) : element("span", {}, ` ${say("cannot_go_on")}`)));
    }
    return made.map(mark);
  }

  #again(article) {
    if (models.length < 2) return iconButton("again", say("regenerate"), () => this.regenerate(article));
    const choice = (model) => textButton(model, () => this.regenerate(article, model));
    return pop("again", say("regenerate"), element("div", { class: "card-small menu" }, element("p", {}, say("again_with")), ...models.map(choice)));
  }

  #broke(article, answer) {
    const { status, finish } = article.dataset;
    return (status === "stopped" || status === "failed" || finish === "length") && answer?.text && !after(article).length;
  }

  #versions(article) {
    const ids = article.dataset.versions?.split(",") ?? [];
    if (ids.length < 2) return [];
    const here = ids.indexOf(article.dataset.message);
    const step = (way, to, words) => {
      const button = iconButton(way, words, () => this.#show(to, way));
      button.classList.add(way);
      button.disabled = !to;
      return button;
    };
    const place = element("span", {}, element("span", { class: "hidden" }, say("version")), ` ${here + 1}/${ids.length} `);
    const group = { class: "versions", role: "group", "aria-label": say("versions") };
    return [element("div", group, step("prev", ids[here - 1], say("previous_version")), place, step("next", ids[here + 1], say("next_version")))];
  }

  #show(message, way) {
    this.#focus = { message, way };
    this.#socket.send({ type: "show", message: Number(message) });
  }

  #edit(article, text) {
    const message = Number(article.dataset.message);
    const messages = [...list.querySelectorAll(".message")];
    this.#page.cut(messages[messages.indexOf(article) - 1] ?? null);
    this.#page.put({ type: "edit", message, text });
  }

  regenerate(article, model) {
    this.#page.put({ type: "regenerate", message: Number(article.dataset.message), model });
  }

  #goOn(article) {
    this.#page.put({ type: "continue", message: Number(article.dataset.message) });
  }

  // What was asked of a message is not done.
  refused(message, words) {
    const article = byId(message);
    if (article) fate(article, [words], true);
  }
}

function mark(button) {
  button.classList.add("own");
  return button;
}
