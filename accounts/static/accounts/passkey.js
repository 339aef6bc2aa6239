// The button for a passkey, where the browser knows passkeys; and what became of it where none came.
// It is hidden until what it starts is there: `onload.js`, which comes before this, sets that up at the same event.
const button = document.getElementById("passkey");
document.addEventListener("DOMContentLoaded", () => {
  button.hidden = !window.PublicKeyCredential;
});
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  document.getElementById("passkey-fault").hidden = false;
});
