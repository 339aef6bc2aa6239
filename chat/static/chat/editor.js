// A question that is being put in other words, in its own place.

import { Field } from "./field.js";
import { element, say, textButton } from "./words.js";

// `ask(text)` is called with the new words.
export function edit(article, ask) {
  if (article.querySelector(".editor")) return;
  const said = article.querySelector(".said");
  const count = element("span", { class: "count", role: "status" });
  const area = element("textarea", { "aria-label": say("your_question"), rows: 1 });
  const send = element("button", { class: "primary" }, say("send"));
  const cancel = textButton(say("cancel"), close);
  const form = element("form", { class: "editor" }, area, element("div", {}, count, cancel, send));
  const field = new Field(area, count, () => (send.disabled = !field.sendable), submit);
  field.text = said.textContent;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    close();
  });

  function submit() {
    if (!field.sendable) return;
    close();
    if (field.text !== said.textContent) ask(field.text);
  }

  function close() {
    article.classList.remove("edited");
    form.remove();
    article.querySelector(".tool")?.focus();
  }

  article.classList.add("edited");
  said.after(form);
  area.focus();
}
