// On every page: tells the server the time zone, copies what has a button for it, sends what needs no button.
import { copyText } from "./clipboard.js";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`jarvis_zone=${zone}`)) {
  document.cookie = `jarvis_zone=${zone}; path=/; max-age=31536000; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`;
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await copyText(field.value);
    } catch {
      return; // the text is selected, so the keyboard copies it
    }
    field.select();
    document.getElementById(button.dataset.status).textContent = button.dataset.done;
  });
}

for (const form of document.querySelectorAll("form[data-send-on-change]")) {
  form.addEventListener("change", () => form.requestSubmit());
}
