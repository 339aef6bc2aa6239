// Copies text, also over plain HTTP, where browsers give pages no clipboard: there the browser copies a selection.

// `text`: a string, or a promise of one. Throws where nothing was copied.
export async function copyText(text) {
  if (!navigator.clipboard) return copySelection(await text);
  if (typeof text === "string") return navigator.clipboard.writeText(text);
  // Given as a promise, since after a wait some browsers no longer see the click behind it.
  const blob = text.then((words) => new Blob([words], { type: "text/plain" }));
  return navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
}

function copySelection(text) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  Object.assign(area.style, { position: "fixed", inset: "0 auto auto 0", opacity: 0 });
  (document.querySelector("dialog[open]") ?? document.body).append(area); // the rest of the page cannot be selected then
  area.select();
  area.setSelectionRange(0, text.length);
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  if (!copied) throw new Error("the browser did not copy");
}
