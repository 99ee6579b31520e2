"use strict";
const root = document.documentElement;
const kept = (name) => { try { return localStorage.getItem("baro-" + name); } catch { return null; } };
const keep = (name, value) => { try { localStorage.setItem("baro-" + name, value); } catch { /* a file:// page may not */ } };
const speak = (language) => {
  root.dataset.language = root.lang = language;
  for (const button of document.querySelectorAll("[data-set-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.setLanguage === language));
  }
};
const asked = new URLSearchParams(location.search);
speak(asked.get("lang") || kept("language") || ((navigator.language || "").startsWith("ko") ? "ko" : "en"));
const theme = asked.get("theme") || kept("theme");
if (theme) root.dataset.theme = theme;
document.addEventListener("click", (event) => {
  const language = event.target.closest("[data-set-language]");
  if (language) { speak(language.dataset.setLanguage); keep("language", language.dataset.setLanguage); }
  if (event.target.closest("[data-set-theme]")) {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    keep("theme", root.dataset.theme);
  }
});
