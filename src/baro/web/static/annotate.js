"use strict";
// One pair after the other. A choice is sent under a number drawn for this click and sent again, under the same number,
// until the server has said that it is kept; only then does the page move on.
document.addEventListener("DOMContentLoaded", () => {
  const texts = baro.data("texts"), person = baro.data("person");
  const at = (id) => document.getElementById(id);
  const all = (selector) => [...document.querySelectorAll(selector)];
  let now = { state: "none" }, busy = false, seconds = 0, since = 0;

  const number = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const wellFormed = (text) => (text.toWellFormed ? text.toWellFormed() : text);  // half a character is no JSON
  const sleep = (time) => new Promise((done) => setTimeout(done, time));
  const say = (text) => { at("said").textContent = text; };
  const banner = (text) => { at("banner").hidden = !text; at("banner").textContent = text || ""; };

  // Seconds in which the pair was really in front of somebody.
  const clock = () => { if (since) seconds += (performance.now() - since) / 1000; since = document.hidden ? 0 : performance.now(); };
  document.addEventListener("visibilitychange", clock);

  const enable = () => {
    for (const button of all("[data-side]")) button.disabled = busy || now.state !== "pair";
    all("[data-undo]")[0].disabled = busy || !now.last;
  };

  const show = (next) => {
    now = next;
    at("pair").hidden = next.state !== "pair";
    at("finished").hidden = next.state !== "finished";
    at("waiting").hidden = next.state !== "waiting";
    at("choice").classList.toggle("idle", next.state !== "pair");
    at("done").textContent = baro.fill(texts.done_count, { count: next.done });
    at("first").hidden = next.done > 0 || next.state !== "pair";
    if (next.problem) banner(next.problem);
    if (next.state === "pair") {
      for (const side of ["prompt", "left", "right"]) { at(side).innerHTML = next[side]; at(side).scrollTop = 0; }
      for (const box of all(".tags input")) box.checked = false;
      at("note").value = "";
      document.querySelector(".why").open = false;
      seconds = 0; since = document.hidden ? 0 : performance.now();
      if (scrollY > 0) scrollTo(0, 0);
    }
    if (next.state === "waiting") setTimeout(load, 1000);
    enable();
  };

  // Asks until there is an answer. Resolves to it, or to null where asking again would not help.
  const insist = async (path, body) => {
    for (let wait = 300; ; wait = Math.min(wait * 2, 5000)) {
      try {
        const reply = await baro.ask(path, body);
        banner("");
        return reply;
      } catch (problem) {
        if (problem.status === 403) { banner(texts.refused); return null; }
        if (problem.status >= 400 && problem.status < 500 && problem.status !== 408 && problem.status !== 429) {
          banner(baro.fill(texts.error, { reason: problem.message }));
          return null;
        }
        banner(texts.offline);
        await sleep(wait);
      }
    }
  };

  const work = async (task) => {
    if (busy) return;
    busy = true; enable();
    try { await task(); } finally { busy = false; enable(); }
  };

  const load = () => work(async () => {
    const next = await insist("/api/next");
    if (next) show(next);
  });

  const choose = (side) => work(async () => {
    if (now.state !== "pair") return;
    clock();
    const body = { person, showing: now.showing, click: number(), side, seconds,
      tags: all(".tags input:checked").map((box) => box.value), note: wellFormed(at("note").value) };
    const reply = await insist("/api/choose", body);
    if (!reply) return;
    say(reply.outcome === "already" ? texts.already : texts.kept);
    show(reply.next);
  });

  const undo = () => work(async () => {
    if (!now.last) { say(texts.nothing_to_undo); return; }
    const reply = await insist("/api/undo", { person, click: now.last });
    if (!reply) return;
    say(reply.undone ? texts.undone : texts.nothing_to_undo);
    show(reply.next);
  });

  for (const button of all("[data-side]")) button.addEventListener("click", () => choose(button.dataset.side));
  all("[data-undo]")[0].addEventListener("click", undo);

  // By the letter where it is one of ours, else by the key's place: s and u work under a Korean layout too.
  const keys = { 1: "left", 2: "right", 0: "tie", s: "skip", u: "undo" };
  const places = { KeyS: "skip", KeyU: "undo", Numpad1: "left", Numpad2: "right", Numpad0: "tie",
    Digit1: "left", Digit2: "right", Digit0: "tie" };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("textarea, input:not([type=checkbox]), select, [contenteditable]");
    if (typing || event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const latin = /^[a-z0-9]$/i.test(event.key);
    const what = latin ? keys[event.key.toLowerCase()] : places[event.code];
    if (!what) return;
    event.preventDefault();
    if (what === "undo") undo(); else choose(what);
  });

  load();
});
