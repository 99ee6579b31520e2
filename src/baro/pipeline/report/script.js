(() => {
  "use strict";
  const root = document.documentElement;
  // Storage is refused on some pages opened from a disk: then a choice lasts as long as the page.
  const remembered = (key) => { try { return localStorage.getItem("baro-report-" + key); } catch { return null; } };
  const remember = (key, value) => { try { localStorage.setItem("baro-report-" + key, value); } catch { /* see above */ } };

  const theme = remembered("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const wanted = remembered("language") || ((navigator.language || "en").toLowerCase().startsWith("ko") ? "ko" : "en");
  root.dataset.language = root.lang = wanted === "ko" ? "ko" : "en";

  document.addEventListener("DOMContentLoaded", () => {
    const all = (selector) => [...document.querySelectorAll(selector)];

    const speak = (language) => {
      root.dataset.language = root.lang = language;
      document.title = document.querySelector("title").dataset[language];
      for (const button of all("[data-set-language]"))
        button.setAttribute("aria-pressed", String(button.dataset.setLanguage === language));
      for (const element of all("[data-label-en]"))
        element.setAttribute("aria-label", language === "ko" ? element.dataset.labelKo : element.dataset.labelEn);
    };
    speak(root.dataset.language);
    for (const button of all("[data-set-language]"))
      button.addEventListener("click", () => { speak(button.dataset.setLanguage); remember("language", root.dataset.language); });

    document.querySelector("[data-theme-switch]").addEventListener("click", () => {
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      remember("theme", root.dataset.theme);
    });

    for (const box of all("[data-shows]"))
      box.addEventListener("change", () => {
        for (const answer of all(".answer"))
          if (answer.dataset.model === box.dataset.shows) answer.hidden = !box.checked;
      });

    const copy = document.querySelector("[data-copy]");
    if (copy) copy.addEventListener("click", async () => {
      const text = document.querySelector("#command").textContent;
      try { await navigator.clipboard.writeText(text); } catch {
        const range = document.createRange();
        range.selectNodeContents(document.querySelector("#command"));
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        document.execCommand("copy");
      }
      for (const part of copy.querySelectorAll("[data-state]")) part.hidden = part.dataset.state === "before";
    });

    const tip = document.querySelector("#tip");
    const show = (event) => {
      const target = event.target.closest("[data-tip-en]");
      if (!target) return;
      tip.textContent = root.dataset.language === "ko" ? target.dataset.tipKo : target.dataset.tipEn;
      tip.hidden = false;
      const near = target.getBoundingClientRect(), own = tip.getBoundingClientRect();
      const left = Math.min(Math.max(12, near.left + near.width / 2 - own.width / 2), innerWidth - own.width - 12);
      const above = near.top - own.height - 8;
      tip.style.left = left + "px";
      tip.style.top = (above > 8 ? above : near.bottom + 8) + "px";
    };
    const hide = () => { tip.hidden = true; };
    for (const kind of ["pointerover", "focusin", "click"]) document.addEventListener(kind, show);
    for (const kind of ["pointerout", "focusout"]) document.addEventListener(kind, hide);
    addEventListener("scroll", hide, { capture: true, passive: true });
    addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
    addEventListener("beforeprint", () => { for (const part of all("details.print")) part.open = true; });
  });
})();
