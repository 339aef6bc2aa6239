// The model, the system prompt and the temperature of a conversation; of one that has not begun, kept until it does.

import { showToast } from "./actions.js";
import { byId, data, findAll, on, onSubmit, say, sayError } from "./dom.js";

export class Settings {
  #socket;
  #onModel;
  #dialog = byId("settings");
  #form = document.querySelector("#settings form");
  #fault = byId("settings-fault");
  #models = findAll("select.model");
  #pending = {}; // of a conversation that has not begun

  // `onModel(name)` is called when another model is chosen.
  constructor(socket, onModel) {
    this.#socket = socket;
    this.#onModel = onModel;
    on(byId("open-settings"), "click", () => this.#open());
    on(byId("close-settings"), "click", () => this.#dialog.close());
    onSubmit(this.#form, () => this.#save());
    on(byId("model"), "change", ({ target }) => this.#changeModel(target.value));
    this.#markButton();
  }

  // The name of the chosen one; undefined where none is offered.
  get model() {
    return byId("model").value || undefined;
  }

  // What a question brings along: its conversation may not have begun.
  questionFields() {
    const { model } = this;
    return data.conversation ? { model } : { model, ...this.#pending };
  }

  markReady(models) {
    for (const option of findAll("select.model option")) {
      const is = models.includes(option.value);
      option.textContent = is ? say("model_ready", { model: option.value }) : option.value;
    }
  }

  apply({ model, system_prompt, temperature }) {
    this.#selectModel(model);
    this.#form.dataset.prompt = system_prompt;
    this.#form.dataset.temperature = temperature ?? "";
    this.#markButton();
  }

  // What was to be set is not.
  refuse(frame) {
    if (frame.reply_to !== data.conversation || !data.conversation) return false;
    showToast(sayError(frame.code));
    return true;
  }

  #selectModel(model) {
    for (const select of this.#models) if (model) select.value = model;
    if (model) this.#onModel(model);
  }

  #open() {
    const { prompt, temperature } = this.#form.dataset;
    this.#form.elements.system_prompt.value = prompt;
    this.#form.elements.temperature.value = temperature;
    this.#selectModel(this.model);
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
    if (!this.#send(wanted)) {
      this.#fault.textContent = say("not_saved");
      return;
    }
    this.#dialog.close();
  }

  #changeModel(model) {
    this.#selectModel(model);
    this.#send({ model });
  }

  // Whether it is set, or will be with the first question.
  #send(wanted) {
    const { conversation } = data;
    if (conversation) return this.#socket.send({ type: "configure", conversation, ...wanted });
    const { model, ...pending } = wanted;
    if ("system_prompt" in pending) {
      this.#pending = pending;
      this.apply(wanted);
    }
    return true;
  }

  // The button shows that something was set here.
  #markButton() {
    const { prompt, temperature } = this.#form.dataset;
    byId("open-settings").toggleAttribute("data-set", Boolean(prompt || temperature));
  }
}
