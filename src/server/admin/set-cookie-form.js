// Opens an admin session: the key goes to this service once, in a body, and is not kept by the page.
const form = document.getElementById("session");
const key = document.getElementById("key");
const outcome = document.getElementById("outcome");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  outcome.textContent = "";
  try {
    const response = await fetch("set-auth-cookie", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ cookie_value: key.value }),
    });
    const answer = await response.json();
    outcome.textContent = response.ok
      ? `Session open until ${new Date(answer.expires_at).toLocaleString()}.`
      : `Refused: ${answer.detail}.`;
  } catch {
    outcome.textContent = "The server did not answer.";
  }
  key.value = "";
});
