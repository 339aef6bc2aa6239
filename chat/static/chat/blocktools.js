// What can be done with a block of code or a table: copy it, wrap its lines, save it; and an answer without these tools.

import { copyButton } from "./copy.js";
import { element, findAll, say, textButton } from "./dom.js";

const WRAP_KEY = "jarvis.wrap"; // whether long lines of code are wrapped, on this device
const TOOLS = ".head, .table-tools";
// Ends of file names, for languages whose name is not one.
const ENDINGS = Object.entries({
  sh: "bash shell zsh console terminal", py: "python py3 python3 pycon", js: "javascript node mjs", ts: "typescript", rb: "ruby", rs: "rust",
  cpp: "c++ cc", cs: "c# csharp", kt: "kotlin", hs: "haskell", pl: "perl", jl: "julia", ps1: "powershell pwsh", tex: "latex", go: "golang",
  md: "markdown", yml: "yaml", tf: "terraform hcl", proto: "protobuf", ex: "elixir", m: "matlab octave", sql: "postgresql postgres mysql sqlite", json: "jsonc json5 jsonl", diff: "patch",
});

const root = document.documentElement;
root.toggleAttribute("data-wrap", localStorage.getItem(WRAP_KEY) === "1");

// Gives each block of code and each table its buttons, where it has none yet.
export function addBlockTools(box) {
  for (const head of findAll(".code > .head:not(:has(button))", box)) {
    const code = head.nextElementSibling;
    const save = textButton(say("download"), () => saveCode(code.textContent, head.firstElementChild.textContent));
    const wrap = textButton(say("wrap"), toggleWrap);
    wrap.setAttribute("aria-pressed", root.hasAttribute("data-wrap"));
    save.className = "quiet";
    wrap.className = "quiet wrap";
    head.append(wrap, save, copyButton(() => code.textContent));
  }
  for (const table of findAll(".wide:not(:has(+ .table-tools)) > table", box)) {
    const button = copyButton(() => toCsv(table), { html: () => cleanHtml(table.parentElement), name: "copy_csv" });
    table.parentElement.after(element("div", { class: "table-tools" }, button));
  }
}

function toggleWrap() {
  const wraps = root.toggleAttribute("data-wrap");
  localStorage.setItem(WRAP_KEY, wraps ? "1" : "");
  findAll(".code .wrap").forEach((button) => button.setAttribute("aria-pressed", wraps));
}

function saveCode(text, language) {
  const name = language.toLowerCase();
  const ending = ENDINGS.find(([, names]) => names.split(" ").includes(name))?.[0] ?? (/^[a-z0-9]{1,8}$/.test(name) ? name : "txt");
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: `code.${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function toCsv(table) {
  const quote = (text) => (/[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const line = (row) => [...row.cells].map((cell) => quote(readableText(cell))).join(",");
  return [...table.rows].map(line).join("\r\n") + "\r\n";
}

// The text of an element, with formulas as they were written.
export function readableText(box) {
  const copy = box.cloneNode(true);
  findAll(`${TOOLS}, .back`, copy).forEach((node) => node.remove());
  findAll("br", copy).forEach((node) => node.replaceWith("\n"));
  writeFormulas(copy);
  return copy.textContent.trim();
}

// Puts what formulas were written as in their place.
export function writeFormulas(box) {
  for (const math of findAll("math[alttext]", box)) {
    const mark = math.getAttribute("display") === "block" ? "$$" : "$";
    math.replaceWith(mark + math.getAttribute("alttext") + mark);
  }
}

// HTML for other programs: without what can be pressed here.
export function cleanHtml(box) {
  const copy = box.cloneNode(true);
  findAll(`${TOOLS}, .back, .open:empty`, copy).forEach((node) => node.remove());
  findAll("[tabindex]", copy).forEach((node) => node.removeAttribute("tabindex"));
  return copy.innerHTML;
}
