// The page's words in the reader's language, and small helpers to build elements without any HTML in strings.

const words = JSON.parse(document.getElementById("strings").textContent);

export function say(name, values = {}) {
  return words[name].replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ""));
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// One of the drawings in templates/chat/drawings.html.
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
