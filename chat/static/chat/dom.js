// The page's words in the reader's language, and small helpers to build elements without any HTML in strings.

export const data = document.body.dataset;

export const on = (target, ...listener) => target.addEventListener(...listener);

// `act()` instead of sending the form.
export function onSubmit(form, act) {
  on(form, "submit", (event) => {
    event.preventDefault();
    act();
  });
}

export const byId = (id) => document.getElementById(id);

export const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

const strings = JSON.parse(byId("strings").textContent);

export function say(name, values = {}) {
  return strings[name].replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}

const number = new Intl.NumberFormat(document.documentElement.lang);
export const formatNumber = (value) => number.format(value);

// What a reader is told of an error, by its code word.
export const sayError = (code) => say(`error_${code}` in strings ? `error_${code}` : "error_other");

// Whether a key belongs to a word that is being put together, as of Japanese. Safari tells of the Enter that ends it
// only by its number.
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

// A page of ours, or a piece of one.
export const fetchHtml = (address) => fetch(address, { headers: { accept: "text/html" } });

export const parseHtml = async (reply) => new DOMParser().parseFromString(await reply.text(), "text/html");

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) on(made, name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// One of the drawings in templates/chat/icon_symbols.html.
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  drawing.append(use);
  return drawing;
}

export function textButton(words, onclick) {
  return element("button", { type: "button", onclick }, words);
}

// A button with a drawing, which says in words what it does.
export function iconButton(name, words, onclick) {
  return element("button", { type: "button", class: "tool", "aria-label": words, title: words, onclick }, icon(name));
}
