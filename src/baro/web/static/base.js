"use strict";
// What every page shares: the switch between light and dark, and requests that go to our own server.
const baro = {
  // The values a page hands to its script: <script type="application/json" id="NAME">.
  data(name) { return JSON.parse(document.getElementById(name).textContent); },

  // A request with JSON both ways. Resolves to the reply's JSON; rejects with an Error that has `status`
  // (0: the server did not answer).
  async ask(path, body, method) {
    let reply;
    try {
      reply = await fetch(path, {
        method: method || (body === undefined ? "GET" : "POST"),
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
      });
    } catch (problem) {
      throw Object.assign(new Error(String(problem)), { status: 0 });
    }
    const found = await reply.json().catch(() => ({}));
    if (!reply.ok) throw Object.assign(new Error(found.error || reply.statusText), { status: reply.status, reply: found });
    return found;
  },

  fill(text, values) { return text.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? values[key] : whole)); },
};

document.addEventListener("DOMContentLoaded", () => {
  document.querySelector("[data-theme-switch]").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    document.cookie = "baro-theme=" + root.dataset.theme + ";path=/;max-age=31536000;samesite=strict";
  });
});
