// Buttons that copy.

import { copyText } from "../accounts/clipboard.js";
import { element, say } from "./dom.js";

// `text()` gives a text, or a promise of one, and `html()` the same with its looks; `name` is that of the button's words.
export function copyButton(text, { html = () => undefined, name = "copy" } = {}) {
  let late = null; // what came too late for a browser that copies only at a click: the next one copies it
  const button = element("button", { type: "button", class: "quiet copy" }, say(name));
  button.addEventListener("click", async () => {
    const given = late ?? text();
    try {
      await copyText(given, html());
      button.textContent = say("copied");
    } catch (error) {
      console.info("nothing was copied", error);
      late = await Promise.resolve(given).catch(() => null);
      button.textContent = say("not_copied");
    }
    setTimeout(() => (button.textContent = say(name)), 1500);
  });
  return button;
}
