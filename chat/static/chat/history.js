// Older messages of a long conversation: fetched when the reader comes near them, and put in without a jump.

import { byId, data, findAll } from "./dom.js";

export class History {
  #list = byId("messages");
  #scroll;
  #addMessage;
  #observer;
  #busy = false;

  // `addMessage(article)` is called with each message that is put in.
  constructor(scroll, addMessage) {
    this.#scroll = scroll;
    this.#addMessage = addMessage;
    const near = { root: byId("scroller"), rootMargin: "800px 0px 0px" };
    this.#observer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.#fetch(), near);
    this.#list.addEventListener("click", (event) => {
      if (!event.target.closest(".earlier a")) return;
      event.preventDefault();
      this.#fetch();
    });
    this.watch();
  }

  watch() {
    const link = this.#list.querySelector(".earlier");
    this.#observer.disconnect();
    if (link) this.#observer.observe(link);
  }

  async #fetch() {
    const link = this.#list.querySelector(".earlier a");
    if (this.#busy || !link) return;
    this.#busy = true;
    try {
      const reply = await fetch(addressBefore(link));
      if (!reply.ok || reply.redirected) throw new Error(`messages: ${reply.status}`);
      const html = await reply.text();
      if (link.isConnected) this.#insert(link, html);
    } catch (error) {
      console.info("earlier messages wait for the next try", error); // the link stays, to be pressed
    } finally {
      this.#busy = false;
    }
  }

  // All that are missing, before anything else happens: a browser that is about to print waits for no promise.
  fetchAllNow() {
    for (let link; (link = this.#list.querySelector(".earlier a")); ) {
      const request = new XMLHttpRequest();
      request.open("GET", addressBefore(link), false);
      request.send();
      if (request.status !== 200 || !request.responseURL.endsWith(addressBefore(link))) return;
      this.#insert(link, request.responseText);
    }
  }

  #insert(link, html) {
    const parsed = document.createElement("template");
    parsed.innerHTML = html;
    findAll(".later", parsed.content).forEach((node) => node.remove());
    const articles = findAll(".message", parsed.content);
    this.#scroll.keepPosition(() => {
      link.parentElement.replaceWith(parsed.content);
      articles.forEach(this.#addMessage);
    });
    this.watch();
  }
}

const addressBefore = (link) => `${data.home}c/${data.conversation}/messages/?before=${link.dataset.before}`;
