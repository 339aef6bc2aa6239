// Copies text, also over plain HTTP, where browsers give pages no clipboard: there the browser copies a selection.

// `text`: a string, or a promise of one; `html`: the same with its looks. Throws where nothing was copied.
export async function copyText(text, html) {
  if (!navigator.clipboard) return copySelection(await text, html);
  if (typeof text === "string" && !html) return navigator.clipboard.writeText(text);
  // Given as promises, since after a wait some browsers no longer see the click behind it.
  const asBlob = async (words, type) => new Blob([await words], { type });
  const parts = { "text/plain": asBlob(text, "text/plain") };
  if (html) parts["text/html"] = asBlob(html, "text/html");
  return navigator.clipboard.write([new ClipboardItem(parts)]);
}

function copySelection(text, html) {
  const focused = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.readOnly = true;
  Object.assign(area.style, { position: "fixed", inset: "0 auto auto 0", opacity: 0 });
  (document.querySelector("dialog[open]") ?? document.body).append(area); // the rest of the page cannot be selected then
  area.select();
  area.setSelectionRange(0, text.length);
  const fill = (event) => {
    if (!html) return;
    event.clipboardData.setData("text/plain", text);
    event.clipboardData.setData("text/html", html);
    event.preventDefault();
  };
  area.addEventListener("copy", fill);
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  if (!copied) throw new Error("the browser did not copy");
}
