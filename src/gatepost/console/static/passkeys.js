// A form with data-passkey asks the device before it is sent, and sends what the device answers.
"use strict";

function octetsOf(text) {
  const base64 = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
}

function textOf(octets) {
  const binary = String.fromCharCode(...new Uint8Array(octets));
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function optionsOf(form) {
  const options = JSON.parse(form.dataset.options);
  options.challenge = octetsOf(options.challenge);
  if (options.user) options.user.id = octetsOf(options.user.id);
  for (const name of ["excludeCredentials", "allowCredentials"]) {
    for (const each of options[name] || []) each.id = octetsOf(each.id);
  }
  return options;
}

function answerOf(credential) {
  const response = { clientDataJSON: textOf(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = textOf(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: textOf(credential.rawId), type: credential.type, response });
}

const COMPLAINTS = {
  NotAllowedError: "The device was not asked, or nobody confirmed in time. Try again.",
  InvalidStateError: "This device has a passkey for you already.",
  SecurityError: "Passkeys are for another name of this console. Open it by the name that its links have.",
};

async function ask(form) {
  const complaint = form.querySelector("[data-complaint]");
  complaint.hidden = true;
  try {
    if (!navigator.credentials) throw new DOMException("", "SecurityError");
    const credential = await navigator.credentials[form.dataset.passkey]({ publicKey: optionsOf(form) });
    form.elements.answer.value = answerOf(credential);
    form.submit();
  } catch (error) {
    complaint.textContent = COMPLAINTS[error.name] || "The browser cannot use a passkey here: " + error.message;
    complaint.hidden = false;
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(form);
  });
  if ("atOnce" in form.dataset) ask(form);
}
