// The button for a passkey, where the browser knows passkeys; and what became of it where none came.
const button = document.getElementById("passkey");
button.hidden = !window.PublicKeyCredential;
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  document.getElementById("passkey-fault").hidden = false;
});
