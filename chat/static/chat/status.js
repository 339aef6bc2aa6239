// The status dot and the banner: the connection first, then the engine of the chosen model.

import { byId, data, say } from "./dom.js";

const LOADING = new Set(["starting", "loading", "warming"]);
const QUIET = new Set(["ready", "connecting"]);
const seesDetails = data.staff !== undefined;

export class Status {
  #place = byId("state");
  #words = byId("state-words");
  #banner = byId("banner");
  #head = byId("banner-head");
  #detail = byId("banner-words");
  #progress = byId("banner-progress");
  #engine = null;
  #model;
  #connection = "connecting"; // connecting, open or reconnecting

  // `model`: the name of the one that is chosen; empty where none is offered yet.
  constructor(model) {
    this.#model = model;
  }

  setConnection(connection) {
    this.#connection = connection;
    this.#show();
  }

  setEngine(frame) {
    this.#engine = frame;
    this.#show();
  }

  setModel(model) {
    this.#model = model;
    this.#show();
  }

  // Of the chosen model; of the best one where there is nothing to choose from.
  get #state() {
    if (this.#connection !== "open") return { phase: this.#connection };
    const engine = this.#engine;
    if (!engine) return { phase: "connecting" };
    if (!this.#model || !engine.models || engine.phase === "unknown") return engine; // without models: an older server
    const of = (name) => engine.models.find(({ model }) => model === name);
    return of(this.#model) ?? of("") ?? { phase: "absent", detail: "" };
  }

  #show() {
    const state = this.#state;
    const { phase } = state;
    const isLoading = LOADING.has(phase);
    const isFault = !isLoading && !QUIET.has(phase) && phase !== "reconnecting";
    const percent = isLoading && state.progress != null ? ` ${Math.round(state.progress * 100)} %` : "";
    const words = say(isFault && !seesDetails ? "not_available" : phase, { model: this.#model || state.model || data.model }) + percent;
    this.#place.dataset.phase = phase;
    if (this.#words.textContent !== words) this.#words.textContent = words;
    this.#place.title = words;
    this.#banner.hidden = QUIET.has(phase);
    this.#banner.dataset.kind = isFault ? "fault" : "busy";
    this.#progress.hidden = !isLoading;
    if (state.progress == null) this.#progress.removeAttribute("value");
    else this.#progress.value = state.progress;
    if (phase === "reconnecting") this.#tell("", say("gone"));
    else if (isFault && !seesDetails) this.#tell("", say("not_available_now"));
    else this.#tell(`${words.replace("…", "")}. `, state.detail ?? "", say(isLoading ? "may_ask" : "waits"));
  }

  #tell(head, ...words) {
    this.#head.textContent = head;
    this.#detail.textContent = words.filter(Boolean).join(" ");
  }
}
