// The status dot and the banner: the connection first, then the engine.

import { say } from "./words.js";

const WORKING = new Set(["starting", "loading", "warming"]);

export class State {
  #place = document.getElementById("state");
  #words = document.getElementById("state-words");
  #banner = document.getElementById("banner");
  #head = document.getElementById("banner-head");
  #detail = document.getElementById("banner-words");
  #progress = document.getElementById("banner-progress");
  #engine = null;
  #line = "connecting"; // connecting, open or reconnecting

  line(state) {
    this.#line = state;
    this.#show();
  }

  engine(frame) {
    this.#engine = frame;
    this.#show();
  }

  get phase() {
    return this.#line === "open" && this.#engine ? this.#engine.phase : this.#line === "open" ? "connecting" : this.#line;
  }

  #show() {
    const phase = this.phase;
    const model = this.#engine?.model || document.body.dataset.model;
    const percent = WORKING.has(phase) && this.#engine.progress != null ? ` ${Math.round(this.#engine.progress * 100)} %` : "";
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
    const gone = phase === "reconnecting";
    const working = WORKING.has(phase);
    this.#banner.dataset.kind = working || gone ? "busy" : "fault";
    this.#head.textContent = gone ? "" : `${words.replace(/…$/, "")}. `;
    const detail = gone ? say("gone") : [this.#engine.detail, say(working ? "may_ask" : "waits")].filter(Boolean).join(" ");
    this.#detail.textContent = detail;
    const progress = this.#engine?.progress;
    this.#progress.hidden = !working;
    if (progress == null) this.#progress.removeAttribute("value");
    else this.#progress.value = progress;
  }
}
