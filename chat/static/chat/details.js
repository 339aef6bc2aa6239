// How an answer came about: its model, tokens and times, asked for when somebody wants to know.

import { element, say, sayError } from "./dom.js";
import { popover } from "./popover.js";

const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
const moment = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });

export class Details {
  #socket;

  constructor(socket) {
    this.#socket = socket;
  }

  createButton(generation) {
    const card = element("dl", { class: "card-small details", "data-details": generation }, element("dt", {}, say("looking")), element("dd"));
    return popover("info", say("details"), card, () => this.#socket.send({ type: "details", generation }));
  }

  // What was looked for cannot be told.
  refuse(frame) {
    const card = document.querySelector(`[data-details="${CSS.escape(frame.reply_to)}"]`);
    card?.replaceChildren(element("dt", {}, sayError(frame.code)));
    return Boolean(card);
  }

  show(frame) {
    const card = document.querySelector(`[data-details="${CSS.escape(frame.generation)}"]`);
    card?.replaceChildren(...listFigures(frame).flatMap(([name, value]) => [element("dt", {}, say(name)), element("dd", {}, value)]));
  }
}

function listFigures(frame) {
  const seconds = (value) => value != null && say("seconds", { number: number.format(value) });
  return [
    ["detail_model", frame.model],
    ["detail_temperature", frame.temperature != null && number.format(frame.temperature)],
    ["detail_asked", moment.format(new Date(frame.asked_at))],
    ["detail_queue", seconds(frame.queue_seconds)],
    ["detail_first", seconds(frame.first_token_seconds)],
    ["detail_whole", seconds(frame.seconds)],
    ["detail_in", frame.prompt_tokens && formatTokens(frame.prompt_tokens, frame.cached_tokens)],
    ["detail_out", frame.completion_tokens && number.format(frame.completion_tokens)],
    ["detail_error", frame.error && `${frame.error_code}: ${frame.error}`],
    ["detail_request", frame.request_id],
    ["detail_speed", frame.tokens_per_second != null && say("per_second", { number: number.format(frame.tokens_per_second) })],
  ].filter(([, value]) => value);
}

function formatTokens(count, cached) {
  return cached ? say("of_these_cached", { number: number.format(count), cached: number.format(cached) }) : number.format(count);
}
