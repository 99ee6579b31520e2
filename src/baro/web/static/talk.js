"use strict";
// A talk with one or several models: the question goes to all of them, their answers are written side by side.
document.addEventListener("DOMContentLoaded", () => {
  const facts = baro.data("facts"), words = facts.words;
  const at = (id) => document.getElementById(id);
  const talk = at("talk"), question = at("question"), problem = at("problem");
  let turns = []; // {question, answers: [{model, text, side, ...}], best, ...}
  let stopping = null; // AbortController of the answers being written
  let chosen = 0;

  const make = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const tell = (text) => { problem.textContent = text; problem.hidden = !text; };
  const failure = (error) =>
    error.status === 0 ? words.offline : error.status === 403 ? words.refused : baro.fill(words.error, { reason: error.message });

  // the answer that the talk goes on with: the better one, else the first on the left that says something
  const kept = (turn) => (turn.best === null ? turn.answers.find((one) => one.text) : turn.answers[turn.best]);
  function messages(upTo) {
    const found = [], system = at("system").value.trim();
    if (system) found.push({ role: "system", content: system });
    for (const turn of turns.slice(0, upTo)) {
      found.push({ role: "user", content: turn.question });
      const answer = turn === turns[upTo - 1] ? null : kept(turn);
      if (answer) found.push({ role: "assistant", content: answer.text });
    }
    return found;
  }

  function shuffled(items) {
    for (let last = items.length - 1; last > 0; last--) {
      const other = crypto.getRandomValues(new Uint32Array(1))[0] % (last + 1);
      [items[last], items[other]] = [items[other], items[last]];
    }
    return items;
  }

  function columns() {
    const names = [...document.querySelectorAll('[name="model"]:checked')].map((box) => box.value);
    return shuffled(at("twice").checked ? [...names, ...names] : names);
  }

  async function ask(text) {
    const names = columns();
    if (!names.length) return tell(words.none);
    tell("");
    const turn = {
      question: text,
      answers: names.map((model, side) => ({ model, text: "", side, tokens: 0, note: "" })),
      best: null, tie: false, done: false, key: key(), node: make("article", "turn"),
      blind: at("blind").checked && names.length > 1 && facts.choices,
    };
    turns.push(turn);
    at("empty").hidden = true;
    document.querySelector(".settings").open = false;
    draw(turn);
    talk.append(turn.node);
    turn.node.scrollIntoView({ block: "end" });
    stopping = new AbortController();
    busy(true);
    const prompt = messages(turns.length);
    turn.prompt = prompt;
    await Promise.all(turn.answers.map((answer) => write(answer, prompt, stopping.signal)));
    turn.done = true;
    turn.since = performance.now();
    stopping = null;
    busy(false);
    finish(turn);
  }

  function key() {
    return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // one model's answer, as server-sent events
  async function write(answer, prompt, signal) {
    const began = performance.now();
    let first = null;
    answer.node.classList.add("live");
    try {
      const reply = await fetch("/v1/chat/completions", {
        method: "POST", credentials: "same-origin", signal,
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          model: answer.model, messages: prompt, stream: true, stream_options: { include_usage: true },
          temperature: Number(at("temperature").value), max_completion_tokens: Number(at("most").value) || null,
        }),
      });
      if (!reply.ok) {
        const found = await reply.json().catch(() => ({}));
        throw Object.assign(new Error(found.error ? found.error.message : reply.statusText), { status: reply.status });
      }
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        let added = "";
        for (const line of lines) {
          if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
          const event = JSON.parse(line.slice(6));
          if (event.error) throw Object.assign(new Error(event.error.message), { status: 500 });
          if (event.usage) answer.tokens = event.usage.completion_tokens;
          for (const choice of event.choices) {
            added += choice.delta.content || "";
            if (choice.finish_reason === "length") answer.note = words.cut;
          }
        }
        if (added) {
          if (first === null) first = performance.now() - began;
          answer.text += answer.text ? added : added.trimStart();
          answer.shown.textContent = answer.text;
        }
      }
      answer.text = answer.text.trimEnd();
      if (!answer.text) answer.note = words.nothing;
      const seconds = (performance.now() - began) / 1000;
      answer.figures = { tokens: answer.tokens, first: Math.round(first || 0), speed: seconds > 0 ? Math.round(answer.tokens / seconds) : "–" };
    } catch (error) {
      answer.note = error.name === "AbortError" ? words.stopped : "";
      if (error.name !== "AbortError") tell(failure(error.status === undefined ? Object.assign(error, { status: 0 }) : error));
    }
    answer.node.classList.remove("live");
  }

  function title(turn, answer) {
    return turn.blind && !turn.chosen ? baro.fill(words.answer, { letter: String.fromCharCode(65 + answer.side) }) : answer.model;
  }

  function draw(turn) {
    turn.node.append(make("p", "asked", turn.question));
    const grid = make("div", turn.answers.length === 1 ? "answers one" : "answers");
    for (const answer of turn.answers) {
      answer.node = make("section", "card answer");
      answer.head = make("h3", "", title(turn, answer));
      answer.shown = make("div", "text");
      answer.shown.dir = "auto";
      answer.facts = make("p", "facts", words.writing + " …");
      answer.node.append(answer.head, answer.shown, answer.facts);
      grid.append(answer.node);
    }
    turn.after = make("div", "after");
    turn.node.append(grid, turn.after);
  }

  // all answers are there: figures, and the choice
  function finish(turn) {
    for (const answer of turn.answers) {
      answer.shown.textContent = answer.text;
      const parts = [answer.note];
      if (answer.figures && !turn.blind) parts.unshift(baro.fill(words.figures, answer.figures));
      answer.facts.textContent = parts.filter(Boolean).join(" · ");
    }
    const different = new Set(turn.answers.map((one) => one.text)).size > 1;
    if (facts.choices && turn.answers.length > 1 && different) {
      turn.answers.forEach((answer, index) => {
        answer.pick = make("button", "button pick", words.better);
        answer.pick.type = "button";
        answer.pick.setAttribute("aria-label", words.better + ": " + title(turn, answer));
        answer.pick.addEventListener("click", () => choose(turn, index));
        answer.node.append(answer.pick);
      });
      const tie = make("button", "button", words.tie);
      tie.type = "button";
      tie.addEventListener("click", () => choose(turn, null));
      turn.after.append(tie, make("span", "", words.continues));
    } else if (turn.blind) reveal(turn);
    at("said").textContent = turn.answers.map((one) => title(turn, one) + ": " + one.text).join("\n");
    turn.node.scrollIntoView({ block: "end" });
  }

  function reveal(turn) {
    turn.chosen = true;
    for (const answer of turn.answers) {
      answer.head.textContent = title(turn, answer);
      if (answer.figures) answer.facts.textContent = [baro.fill(words.figures, answer.figures), answer.note].filter(Boolean).join(" · ");
    }
  }

  async function choose(turn, best) {
    const picks = [...turn.answers.map((one) => one.pick), turn.after.querySelector("button")];
    picks.forEach((pick) => { pick.disabled = true; });
    try {
      await baro.ask("/choices", {
        key: turn.key, prompt: turn.prompt, best, seconds: (performance.now() - turn.since) / 1000,
        answers: turn.answers.map(({ model, text, side }) => ({ model, text, side })),
      });
    } catch (error) {
      picks.forEach((pick) => { pick.disabled = false; });
      return tell(baro.fill(words.not_kept, { reason: failure(error) }));
    }
    tell("");
    turn.best = best;
    chosen += 1;
    reveal(turn);
    turn.answers.forEach((answer, index) => {
      answer.pick.remove();
      answer.node.classList.add(index === best ? "best" : "other");
      if (index === best) answer.head.append(make("span", "chip", words.chosen));
    });
    if (best === null) turn.answers.forEach((answer) => answer.node.classList.remove("other"));
    turn.after.replaceChildren(make("span", "", baro.fill(words.kept, { count: chosen })));
    at("said").textContent = turn.after.textContent;
    question.focus();
  }

  function busy(yes) {
    at("send").hidden = yes;
    at("stop").hidden = !yes;
    at("again").disabled = yes || !turns.length;
    at("new").disabled = yes;
  }

  function fit() { question.style.height = "auto"; question.style.height = question.scrollHeight + 2 + "px"; }
  question.addEventListener("input", fit);
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      at("composer").requestSubmit();
    }
  });
  at("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = question.value.trim();
    if (!text || stopping) return;
    question.value = "";
    fit();
    ask(text);
  });
  at("stop").addEventListener("click", () => stopping && stopping.abort());
  at("again").addEventListener("click", () => {
    const last = turns.pop();
    last.node.remove();
    ask(last.question);
  });
  at("new").addEventListener("click", () => {
    turns.forEach((turn) => turn.node.remove());
    turns = [];
    tell("");
    at("empty").hidden = false;
    busy(false);
    question.focus();
  });
  at("settings").addEventListener("submit", (event) => event.preventDefault());
  question.focus();
});
