// The model, the system prompt and the temperature of a conversation; of one that has not begun, kept until it does.

import { say } from "./words.js";

export class Settings {
  #socket;
  #dialog = document.getElementById("settings");
  #form = document.querySelector("#settings form");
  #fault = document.getElementById("settings-fault");
  #models = document.querySelectorAll("select.model");
  #kept = {}; // of a conversation that has not begun

  constructor(socket) {
    this.#socket = socket;
    document.getElementById("open-settings").addEventListener("click", () => this.#open());
    document.getElementById("close-settings").addEventListener("click", () => this.#dialog.close());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    document.getElementById("model")?.addEventListener("change", ({ target }) => this.#chose(target.value));
    this.#mark();
  }

  // What a question brings along: its conversation may not have begun.
  forQuestion() {
    const model = document.getElementById("model")?.value;
    return document.body.dataset.conversation ? { model } : { model, ...this.#kept };
  }

  ready(models) {
    for (const option of document.querySelectorAll("select.model option")) {
      const is = models.includes(option.value);
      option.textContent = is ? say("model_ready", { model: option.value }) : option.value;
    }
  }

  configured({ model, system_prompt, temperature }) {
    this.#set(model);
    this.#form.dataset.prompt = system_prompt;
    this.#form.dataset.temperature = temperature ?? "";
    this.#mark();
  }

  #set(model) {
    for (const select of this.#models) if (model) select.value = model;
  }

  #open() {
    const { prompt, temperature } = this.#form.dataset;
    this.#form.elements.system_prompt.value = prompt;
    this.#form.elements.temperature.value = temperature;
    this.#set(document.getElementById("model")?.value);
    this.#fault.textContent = "";
    this.#dialog.showModal();
  }

  #save() {
    const { system_prompt, temperature, model } = this.#form.elements;
    const wanted = {
      model: model?.value,
      system_prompt: system_prompt.value,
      temperature: temperature.value === "" ? null : Number(temperature.value),
    };
    if (!this.#tell(wanted)) {
      this.#fault.textContent = say("not_saved");
      return;
    }
    this.#dialog.close();
  }

  #chose(model) {
    this.#set(model);
    this.#tell({ model });
  }

  // Whether it is set, or will be with the first question.
  #tell(wanted) {
    const { conversation } = document.body.dataset;
    if (conversation) return this.#socket.send({ type: "configure", conversation, ...wanted });
    const { model, ...kept } = wanted;
    if ("system_prompt" in kept) {
      this.#kept = kept;
      this.configured(wanted);
    }
    return true;
  }

  // The button shows that something was set here.
  #mark() {
    const { prompt, temperature } = this.#form.dataset;
    document.getElementById("open-settings").toggleAttribute("data-set", Boolean(prompt || temperature));
  }
}
