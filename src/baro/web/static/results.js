"use strict";
// The figures follow the choices while the page is looked at.
setInterval(async () => {
  const figures = document.getElementById("figures");
  if (document.hidden || figures.contains(document.activeElement) || String(getSelection())) return;
  try {
    const reply = await fetch("/results/figures", { credentials: "same-origin" });
    if (reply.ok) figures.innerHTML = await reply.text();
  } catch { /* the server is away: what is shown stays */ }
}, 4000);
