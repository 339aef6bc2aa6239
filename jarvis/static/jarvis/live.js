// Keeps the part of a page that is marked `data-live` as the server now has it, while somebody looks.
const SECONDS = 5; // between two looks

const live = () => document.querySelector("[data-live]");

async function load() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) return; // signed out, or the server is away: the next look tells
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
  const shown = live();
  // A button that has the focus stays where it is: it may be about to be pressed.
  if (!fresh || shown.contains(document.activeElement) || shown.textContent === fresh.textContent) return;
  shown.replaceWith(document.adoptNode(fresh));
}

async function keepUp() {
  try {
    if (!document.hidden && live()) await load();
  } catch {
    // no network for a moment
  }
  setTimeout(keepUp, SECONDS * 1000);
}

for (const note of document.querySelectorAll("[data-live-note]")) note.hidden = false;
document.addEventListener("visibilitychange", () => { if (!document.hidden) load().catch(() => {}); });
setTimeout(keepUp, SECONDS * 1000);
