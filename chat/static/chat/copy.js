// Buttons that copy, where the browser lets a page do that.

import { element, say } from "./dom.js";

// `text()` gives a text, or a promise of one.
export function copyButton(text) {
  if (!navigator.clipboard) return [];
  const button = element("button", { type: "button", class: "quiet copy" }, say("copy"));
  button.addEventListener("click", async () => {
    try {
      await write(text());
      button.textContent = say("copied");
    } catch (error) {
      console.info("nothing was copied", error);
      button.textContent = say("not_copied");
    }
    setTimeout(() => (button.textContent = say("copy")), 1500);
  });
  return [button];
}

async function write(text) {
  if (typeof text === "string") return navigator.clipboard.writeText(text);
  // Given as a promise, since after a wait some browsers no longer see the click behind it.
  const blob = text.then((words) => new Blob([words], { type: "text/plain" }));
  return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
}
