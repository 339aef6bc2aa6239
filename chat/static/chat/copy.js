// Buttons that copy.

import { copyText } from "../accounts/clipboard.js";
import { element, say } from "./dom.js";

// `text()` gives a text, or a promise of one.
export function copyButton(text) {
  let late = null; // what came too late for a browser that copies only at a click: the next one copies it
  const button = element("button", { type: "button", class: "quiet copy" }, say("copy"));
  button.addEventListener("click", async () => {
    const given = late ?? text();
    try {
      await copyText(given);
      button.textContent = say("copied");
    } catch (error) {
      console.info("nothing was copied", error);
      late = await Promise.resolve(given).catch(() => null);
      button.textContent = say("not_copied");
    }
    setTimeout(() => (button.textContent = say("copy")), 1500);
  });
  return button;
}
