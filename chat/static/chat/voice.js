// The browser's own speech: answers are read aloud, questions are spoken. For who has asked for it, where there is any.

import { iconButton, say } from "./dom.js";

const { speak, listen } = document.body.dataset;
const Recognition = window.SpeechRecognition ?? window.webkitSpeechRecognition;
const language = document.documentElement.lang;

if (speak !== undefined) addEventListener("pagehide", () => window.speechSynthesis?.cancel());

// A button that reads a text aloud, and stops again.
export function speakButton(text) {
  if (speak === undefined || !window.speechSynthesis) return [];
  const button = iconButton("speak", say("read_aloud"), () => {
    const speaks = button.hasAttribute("aria-pressed");
    speechSynthesis.cancel();
    if (speaks) return;
    const speech = new SpeechSynthesisUtterance(text());
    speech.lang = language;
    speech.onend = speech.onerror = () => button.removeAttribute("aria-pressed");
    button.setAttribute("aria-pressed", "true");
    speechSynthesis.speak(speech);
  });
  return [button];
}

// The button that takes a question by voice, which is added to what is typed.
export function enableDictation(composer) {
  const button = document.getElementById("listen");
  if (listen === undefined || !Recognition || !button) return;
  button.hidden = false;
  let recognition = null;
  button.addEventListener("click", () => {
    if (recognition) return recognition.stop();
    const before = composer.text && `${composer.text.trimEnd()} `;
    recognition = new Recognition();
    recognition.lang = language;
    recognition.interimResults = true;
    recognition.continuous = true;
    recognition.onresult = ({ results }) => composer.fill(before + [...results].map((one) => one[0].transcript).join(""));
    recognition.onend = () => {
      recognition = null;
      button.removeAttribute("aria-pressed");
    };
    recognition.onerror = ({ error }) => {
      button.title = say("not_heard", { error });
    };
    button.setAttribute("aria-pressed", "true");
    recognition.start();
  });
}
