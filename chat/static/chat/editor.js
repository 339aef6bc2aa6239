// A question that is being put in other words, in its own place.

import { element, isComposing, on, onSubmit, say, textButton } from "./dom.js";
import { Field } from "./field.js";

// `ask(text)` is called with the new words.
export function openEditor(article, ask) {
  if (article.querySelector(".editor")) return;
  const text = article.querySelector(".said");
  const count = element("span", { class: "count", role: "status" });
  const area = element("textarea", { "aria-label": say("your_question"), rows: 1, dir: "auto" });
  const send = element("button", { class: "primary" }, say("send"));
  const cancel = textButton(say("cancel"), close);
  const form = element("form", { class: "editor" }, area, element("div", {}, count, cancel, send));
  const field = new Field(area, count, () => (send.disabled = !field.canSend), submit);
  field.text = text.textContent;
  onSubmit(form, submit);
  on(form, "keydown", (event) => {
    if (event.key !== "Escape" || isComposing(event)) return;
    event.preventDefault();
    close();
  });

  function submit() {
    if (!field.canSend) return;
    close();
    if (field.text !== text.textContent) ask(field.text);
  }

  function close() {
    article.classList.remove("editing");
    form.remove();
    article.querySelector(".tool")?.focus();
  }

  article.classList.add("editing");
  text.after(form);
  area.focus();
}
