// What is copied of a selection with formulas in it: these as they were written, since MathML as text is a heap of signs.

import { cleanHtml, writeFormulas } from "./blocktools.js";
import { element, on } from "./dom.js";

on(document, "copy", (event) => {
  const selection = getSelection();
  if (selection.isCollapsed || !selection.rangeCount) return;
  const range = selection.getRangeAt(0);
  const around = range.commonAncestorContainer;
  const formula = (around.nodeType === Node.ELEMENT_NODE ? around : around.parentElement).closest("math[alttext]");
  const box = element("div", { class: "copied rendered" });
  box.append(formula ? formula.cloneNode(true) : range.cloneContents());
  if (!box.querySelector("math[alttext]")) return;
  document.body.append(box); // lines are known of what is shown alone
  event.clipboardData.setData("text/html", cleanHtml(box));
  writeFormulas(box);
  event.clipboardData.setData("text/plain", box.innerText.trim());
  box.remove();
  event.preventDefault();
});
