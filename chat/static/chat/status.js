// The status dot and the banner: the connection first, then the engine.

import { byId, data, say } from "./dom.js";

const LOADING = new Set(["starting", "loading", "warming"]);

export class Status {
  #place = byId("state");
  #words = byId("state-words");
  #banner = byId("banner");
  #head = byId("banner-head");
  #detail = byId("banner-words");
  #progress = byId("banner-progress");
  #engine = null;
  #connection = "connecting"; // connecting, open or reconnecting

  setConnection(connection) {
    this.#connection = connection;
    this.#show();
  }

  setEngine(frame) {
    this.#engine = frame;
    this.#show();
  }

  get phase() {
    return this.#connection === "open" ? (this.#engine?.phase ?? "connecting") : this.#connection;
  }

  #show() {
    const phase = this.phase;
    const model = this.#engine?.model || data.model;
    const percent = LOADING.has(phase) && this.#engine.progress != null ? ` ${Math.round(this.#engine.progress * 100)} %` : "";
    const words = say(phase, { model }) + percent;
    this.#place.dataset.phase = phase;
    if (this.#words.textContent !== words) this.#words.textContent = words;
    this.#place.title = words;
    this.#showBanner(phase, words);
  }

  #showBanner(phase, words) {
    const quiet = phase === "ready" || phase === "connecting";
    this.#banner.hidden = quiet;
    if (quiet) return;
    const isOffline = phase === "reconnecting";
    const working = LOADING.has(phase);
    this.#banner.dataset.kind = working || isOffline ? "busy" : "fault";
    this.#head.textContent = isOffline ? "" : `${words.replace(/…$/, "")}. `;
    const detail = isOffline ? say("gone") : [this.#engine.detail, say(working ? "may_ask" : "waits")].filter(Boolean).join(" ");
    this.#detail.textContent = detail;
    const progress = this.#engine?.progress;
    this.#progress.hidden = !working;
    if (progress == null) this.#progress.removeAttribute("value");
    else this.#progress.value = progress;
  }
}
