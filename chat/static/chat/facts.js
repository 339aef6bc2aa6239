// How an answer came about: its model, tokens and times, asked for when somebody wants to know.

import { pop } from "./pop.js";
import { element, say } from "./words.js";

const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });

export class Facts {
  #socket;

  constructor(socket) {
    this.#socket = socket;
  }

  button(generation) {
    const card = element("dl", { class: "card-small facts", "data-facts": generation }, element("dt", {}, say("looking")), element("dd"));
    return pop("info", say("details"), card, () => this.#socket.send({ type: "details", generation }));
  }

  show(frame) {
    const card = document.querySelector(`[data-facts="${CSS.escape(frame.generation)}"]`);
    card?.replaceChildren(...lines(frame).flatMap(([name, value]) => [element("dt", {}, say(name)), element("dd", {}, value)]));
  }
}

function lines(frame) {
  const seconds = (value) => value != null && say("seconds", { number: number.format(value) });
  return [
    ["fact_model", frame.model],
    ["fact_temperature", frame.temperature != null && number.format(frame.temperature)],
    ["fact_asked", moment.format(new Date(frame.asked_at))],
    ["fact_queue", seconds(frame.queue_seconds)],
    ["fact_first", seconds(frame.first_token_seconds)],
    ["fact_whole", seconds(frame.seconds)],
    ["fact_in", tokens(frame.prompt_tokens, frame.cached_tokens)],
    ["fact_out", number.format(frame.completion_tokens)],
    ["fact_speed", frame.tokens_per_second != null && say("per_second", { number: number.format(frame.tokens_per_second) })],
  ].filter(([, value]) => value);
}

function tokens(count, cached) {
  return cached ? say("of_these_cached", { number: number.format(count), cached: number.format(cached) }) : number.format(count);
}
