"use strict";
// The board: asks every two seconds what is new, and draws only that.
document.addEventListener("DOMContentLoaded", () => {
  const words = baro.data("words"), at = (id) => document.getElementById(id);
  const EVERY = 2000, POINTS = 600;
  const FIRST = ["loss", "objective/scores", "objective/kl", "objective/entropy", "val/length", "gold", "eval/gold", "accuracy",
    "eval/accuracy", "nats_per_token", "eval/nats_per_token", "rewards/margins", "rewards/accuracies", "grad_norm"];
  let runs = [], shown = null, focus = null, stage = null;
  let stages = new Set(), keys = null, smooth = 0;
  const store = new Map(); // "run\nstage" → {version, keys, curves}
  const charts = new Map(); // key → {plot, node}

  const make = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const tell = (text) => { at("problem").textContent = text; at("problem").hidden = !text; };
  const failure = (error) =>
    error.status === 0 ? words.offline : error.status === 403 ? words.refused : baro.fill(words.error, { reason: error.message });
  const colour = (index) => getComputedStyle(document.documentElement).getPropertyValue("--m-" + ((index + 1) % 8)).trim();
  const clock = (seconds) => {
    const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
    return whole < 60 ? whole + " s" : whole < 3600 ? Math.floor(whole / 60) + " min " + two(whole % 60) + " s"
      : Math.floor(whole / 3600) + " h " + two(Math.floor((whole % 3600) / 60)) + " min";
  };
  const short = (value) => (Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : Number(value).toPrecision(3));
  const shownRuns = () => runs.filter((run) => shown.has(run.name));
  const series = () => shownRuns().flatMap((run) =>
    run.stages.filter((one) => one.curves && stages.has(one.name)).map((one) => ({ run: run.name, stage: one.name })));
  const place = (one) => one.run + "\n" + one.stage;
  const replace = (node, children) => { // keeps the focus where it was
    const held = node.contains(document.activeElement) && document.activeElement.dataset.id;
    node.replaceChildren(...children);
    if (held) node.querySelector(`[data-id="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
  };

  // --- runs ---
  let drawnRuns = "";
  async function look() {
    runs = (await baro.ask("/api/runs")).runs;
    if (shown === null) shown = new Set(runs.slice(0, 8).map((run) => run.name));
    if (!runs.some((run) => run.name === focus)) pick((runs.find((run) => run.state === "running") || runs[0] || {}).name);
    const told = JSON.stringify([runs, [...shown], focus]);
    if (told === drawnRuns) return;
    drawnRuns = told;
    replace(at("runs"), runs.length ? runs.map(row) : [make("p", "dim", words.none)]);
    drawGraph();
  }

  function row(run) {
    const node = make("article", "card run state-" + run.state + (run.name === focus ? " focus" : ""));
    const box = make("input");
    box.type = "checkbox";
    box.checked = shown.has(run.name);
    box.dataset.id = "show " + run.name;
    box.setAttribute("aria-label", baro.fill(words.show, { run: run.name }));
    box.addEventListener("change", () => { box.checked ? shown.add(run.name) : shown.delete(run.name); drawnRuns = ""; soon(); });
    const head = make("div"), title = make("h3");
    const swatch = make("span", "swatch");
    swatch.style.background = colour(runs.indexOf(run));
    title.append(swatch, run.name);
    const facts = make("p", "facts");
    facts.append(make("span", "chip state", words[run.state] || run.state));
    if (run.left !== null && run.left !== undefined) facts.append(" " + baro.fill(words.left, { time: clock(run.left) }));
    else if (run.error) facts.append(" " + run.error);
    head.append(title, facts);
    const way = make("div", "way"), bars = make("div", "bars");
    bars.setAttribute("aria-hidden", "true");
    for (const one of run.stages) {
      const bar = make("i"), fill = make("b");
      fill.style.width = (one.state === "running" ? 100 * (one.total ? one.done / one.total : 0) : one.state === "waiting" ? 0 : 100) + "%";
      bar.append(fill);
      bars.append(bar);
    }
    const now = run.stages.find((one) => one.state === "running");
    const did = run.stages.filter((one) => one.state === "done" || one.state === "skipped").length;
    way.append(bars, make("p", "facts", now
      ? `${now.name} ${short(now.done || 0)}/${short(now.total || 0)} ${now.unit || ""} ${now.text || ""}`
      : `${did}/${run.stages.length} ${words.stages.toLowerCase()}`));
    const acts = make("div", "acts");
    const act = (name, text, work) => {
      const button = make("button", "button", text);
      button.type = "button";
      button.dataset.id = name + " " + run.name;
      button.setAttribute("aria-label", text + ": " + run.name);
      button.addEventListener("click", work);
      acts.append(button);
      return button;
    };
    const seen = act("look", run.name === focus ? words.looked : words.look, () => { pick(run.name); drawnRuns = ""; soon(); });
    seen.setAttribute("aria-pressed", String(run.name === focus));
    if (run.can_stop) act("stop", words.stop, () => order("/api/stop", run, words.stopping, baro.fill(words.stop_ask, { run: run.name })));
    if (run.can_resume) act("resume", words.resume, () => order("/api/resume", run, words.resumed));
    if (run.report) {
      const link = make("a", "button", words.report);
      link.href = "/report?run=" + encodeURIComponent(run.name);
      link.target = "_blank";
      link.setAttribute("aria-label", words.report + ": " + run.name);
      acts.append(link);
    }
    node.append(box, head, way, acts);
    return node;
  }

  async function order(path, run, done, question) {
    if (question && !confirm(question)) return;
    try {
      await baro.ask(path, { run: run.name });
      at("said").textContent = done;
      tell("");
    } catch (error) { tell(failure(error)); }
    soon();
  }

  function pick(name) {
    focus = name || null;
    const run = runs.find((one) => one.name === focus);
    if (!run) return;
    shown.add(run.name);
    const drawn = run.stages.filter((one) => one.curves);
    const now = drawn.find((one) => one.state === "running") || drawn[drawn.length - 1];
    if (now && !drawn.some((one) => stages.has(one.name))) stages = new Set([now.name]);
    stage = (now || run.stages[0] || {}).name;
    known = -Infinity;
  }

  // --- curves ---
  async function curves() {
    const of = series();
    at("curves").hidden = !runs.some((run) => run.stages.some((one) => one.curves));
    buttons(at("stages"), [...new Set(shownRuns().flatMap((run) => run.stages.filter((one) => one.curves).map((one) => one.name)))],
      (name) => stages.has(name), (name) => { stages.has(name) ? stages.delete(name) : stages.add(name); keys = null; soon(); });
    if (keys === null && of.length) { // what there is, before choosing
      const asked = await baro.ask("/api/curves", { of: of.map((one) => ({ ...one, seen: "" })), keys: [] });
      const found = new Set(asked.stages.flatMap((one) => one.keys));
      const wanted = FIRST.filter((key) => found.has(key)).slice(0, 6);
      keys = new Set(wanted.length ? wanted : [...found].slice(0, 4));
      store.clear();
    }
    if (!of.length) { keys = null; at("charts").replaceChildren(make("p", "dim", words.no_curves)); charts.clear(); buttons(at("keys"), []); return; }
    const asked = { keys: [...keys].slice(0, 40), smooth, points: POINTS, of: of.map((one) => ({ ...one, seen: (store.get(place(one)) || {}).version || "" })) };
    const reply = await baro.ask("/api/curves", asked);
    let news = false;
    for (const one of reply.stages) {
      if (!one.curves) continue;
      store.set(place(one), one);
      news = true;
    }
    at("reading").hidden = !reply.behind;
    at("reading").textContent = words.reading;
    const every = [...new Set(of.flatMap((one) => (store.get(place(one)) || { keys: [] }).keys))];
    every.sort((a, b) => (FIRST.indexOf(a) + 1 || 99) - (FIRST.indexOf(b) + 1 || 99) || a.localeCompare(b));
    buttons(at("keys"), every, (key) => keys.has(key), (key) => { keys.has(key) ? keys.delete(key) : keys.add(key); store.clear(); soon(); });
    const told = JSON.stringify([of, [...keys], smooth]);
    if (news || told !== drawn) { drawn = told; draw(of); }
    if (reply.behind) soon();
  }
  let drawn = "";

  function buttons(node, names, pressed, work) {
    const told = JSON.stringify(names.map((name) => [name, pressed(name)]));
    if (node.dataset.told === told) return;
    node.dataset.told = told;
    replace(node, names.map((name) => {
      const button = make("button", "", name);
      button.type = "button";
      button.dataset.id = name;
      button.setAttribute("aria-pressed", String(pressed(name)));
      button.addEventListener("click", () => work(name));
      return button;
    }));
  }

  function draw(of) {
    const wanted = [...keys].filter((key) => of.some((one) => store.get(place(one))?.curves[key]));
    for (const [key, chart] of charts) if (!wanted.includes(key)) { chart.plot.destroy(); charts.delete(key); }
    const nodes = wanted.map((key) => {
      const lines = of.filter((one) => store.get(place(one))?.curves[key]);
      const data = uPlot.join(lines.map((one) => { const curve = store.get(place(one)).curves[key]; return [curve.x, curve.y]; }));
      const told = JSON.stringify([lines, document.documentElement.dataset.theme]);
      const old = charts.get(key);
      if (old && old.told === told) { old.plot.setData(data); return old.node; }
      if (old) old.plot.destroy();
      const node = make("figure", "card chart");
      node.style.margin = 0;
      const head = make("h3", "", key), value = make("span");
      head.append(value);
      node.append(head);
      charts.set(key, { node, told, plot: plot(node, value, lines, data) });
      return node;
    });
    const same = nodes.length === at("charts").children.length && nodes.every((node, index) => node === at("charts").children[index]);
    if (!same) at("charts").replaceChildren(...nodes);
    for (const key of wanted) {
      const chart = charts.get(key), width = chart.node.clientWidth - 24;
      if (width > 0 && chart.plot.width !== width) chart.plot.setSize({ width, height: 220 });
      const facts = of.filter((one) => store.get(place(one))?.curves[key]).map((one) => one.run + " " + one.stage + ": " + short(store.get(place(one)).curves[key].y.at(-1)));
      chart.node.setAttribute("role", "img");
      chart.node.setAttribute("aria-label", key + ". " + facts.join("; "));
    }
    let legend = document.querySelector(".legend");
    if (!legend) { legend = make("div", "legend"); at("charts").after(legend); }
    legend.replaceChildren(...of.map((one) => {
      const item = make("span"), swatch = make("span", "swatch");
      swatch.style.background = lineColour(one, of);
      item.append(swatch, one.run + (stages.size > 1 ? " · " + one.stage : ""));
      return item;
    }));
  }

  function lineColour(one, of) {
    const several = new Set(of.map((other) => other.stage)).size > 1 && new Set(of.map((other) => other.run)).size === 1;
    return colour(several ? of.indexOf(one) : runs.findIndex((run) => run.name === one.run));
  }

  function plot(node, value, lines, data) {
    const style = getComputedStyle(document.documentElement), ink = style.getPropertyValue("--muted").trim(), line = style.getPropertyValue("--line").trim();
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "11px system-ui, sans-serif" };
    const of = series();
    return new uPlot({
      width: Math.max(240, (node.clientWidth || 380) - 24), height: 220,
      scales: { x: { time: false } },
      legend: { show: false },
      cursor: { points: { size: 5 }, drag: { x: true, y: false } },
      axes: [{ ...axis, size: 30, values: (_, ticks) => ticks.map((tick) => (tick >= 1e4 ? tick / 1e3 + "k" : tick)) }, { ...axis, size: 52, values: (_, ticks) => ticks.map(short) }],
      series: [{}, ...lines.map((one) => ({ label: one.run, stroke: lineColour(one, of), width: 1.6, spanGaps: true, points: { show: data[0].length < 12 } }))],
      hooks: { setCursor: [(chart) => {
        const index = chart.cursor.idx;
        const found = index == null ? [] : chart.data.slice(1).map((column) => { let i = index; while (i > 0 && column[i] == null) i--; return column[i]; });
        value.textContent = index == null ? "" : short(chart.data[0][index]) + ": " + found.filter((v) => v != null).slice(0, 4).map(short).join(", ");
      }] },
    }, data, node);
  }

  // --- details of one run ---
  let known = -Infinity;
  async function details() {
    const run = runs.find((one) => one.name === focus);
    at("details").hidden = !run || !stage;
    if (!run || !stage || performance.now() - known < 5 * EVERY) return;
    const query = (name) => "run=" + encodeURIComponent(name) + "&stage=" + encodeURIComponent(stage);
    const found = await baro.ask("/api/run?" + query(run.name));
    if (sample !== null && found.samples.steps.includes(sample)) found.samples = await baro.ask("/api/samples?" + query(run.name) + "&step=" + sample);
    known = performance.now();
    at("named").textContent = baro.fill(words.of_run, { run: run.name, stage });
    const language = document.documentElement.lang;
    at("alarms").replaceChildren(...(found.alarms.length ? found.alarms.map((alarm) => make("p", "note bad", alarm.stage + ": " + (alarm[language] || alarm.en || alarm.code))) : [make("p", "dim", words.no_alarms)]));
    const speed = [];
    const one = run.stages.find((other) => other.name === stage) || { checkpoints: [] }, paced = one.speed || {};
    if (paced.counts_per_second) speed.push(baro.fill(words.per_second, { count: Math.round(paced.counts_per_second).toLocaleString() }));
    if (paced.peak_bytes) speed.push(baro.fill(words.memory, { size: (paced.peak_bytes / 2 ** 30).toFixed(2) + " GiB" }));
    if (found.machine.device) speed.push(found.machine.device + ", " + found.machine.system);
    at("speed").replaceChildren(...speed.map((text) => make("p", "", text)));
    at("checkpoints").replaceChildren(make("p", "", one.checkpoints.join(", ") || words.no_checkpoints));
    samples(found.samples);
    const others = shownRuns().filter((other) => other !== run && other.stages.some((s) => s.name === stage)).slice(0, 7);
    const replies = await Promise.all(others.map((other) => baro.ask("/api/settings?" + query(other.name))));
    settings([[run.name, found.settings], ...others.map((other, index) => [other.name, replies[index].settings])]);
  }

  let sample = null, asking = 0; // the update whose answers are shown, null for the newest
  function samples(found) {
    if (!found.rows.length) return at("samples").replaceChildren(make("p", "dim", words.no_samples));
    const list = make("div"), nodes = [list], { steps } = found;
    const fill = (rows) => list.replaceChildren(...rows.slice(0, 8).map((row) => {
      const node = make("div", "sample");
      node.append(make("p", "asked", row.prompt));
      row.completions.slice(0, 4).forEach((text, index) => {
        const said = make("p", "said"), score = row.rewards[index];
        said.append(make("span", "", text), make("span", "dim", score == null ? "" : short(score)));
        node.append(said);
      });
      return node;
    }));
    if (steps.length > 1) {
      const label = make("label", "slide", words.scrub), range = make("input"), out = make("output");
      range.type = "range";
      range.min = 0;
      range.max = steps.length - 1;
      range.value = steps.indexOf(found.step);
      range.dataset.id = "samples";
      const named = () => {
        const which = Number(range.value);
        out.textContent = found.counted ? baro.fill(words.at, { step: steps[which] }) : baro.fill(words.part, { step: which + 1, count: steps.length });
        range.setAttribute("aria-valuetext", out.textContent);
      };
      range.addEventListener("input", async () => {
        const which = Number(range.value), mine = ++asking;
        sample = which === steps.length - 1 ? null : steps[which];
        named();
        try {
          const told = await baro.ask("/api/samples?run=" + encodeURIComponent(focus) + "&stage=" + encodeURIComponent(stage) + "&step=" + steps[which]);
          if (mine === asking) fill(told.rows);
        } catch (error) { tell(failure(error)); }
      });
      label.append(out, range);
      nodes.unshift(label);
      named();
    }
    fill(found.rows);
    replace(at("samples"), nodes);
  }

  function settings(columns) {
    const names = [...new Set(columns.flatMap(([, found]) => Object.keys(found)))].sort();
    const text = (value) => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));
    const rows = names.map((name) => ({ name, values: columns.map(([, found]) => text(found[name])) }))
      .map((one) => ({ ...one, differs: new Set(one.values).size > 1 }));
    const only = at("differing").checked && columns.length > 1;
    const kept = rows.filter((one) => one.differs || !only);
    if (!kept.length) return at("settings").replaceChildren(make("p", "dim", words.same));
    const table = make("table"), head = make("thead"), top = make("tr"), body = make("tbody");
    top.append(...[words.setting, ...columns.map(([name]) => name)].map((name) => Object.assign(make("th", "", name), { scope: "col" })));
    head.append(top);
    body.append(...kept.map((one) => {
      const line = make("tr", one.differs ? "differs" : "");
      line.append(Object.assign(make("th", "", one.name), { scope: "row" }), ...one.values.map((value) => make("td", "", value)));
      return line;
    }));
    table.append(head, body);
    at("settings").replaceChildren(table);
  }

  // stages in columns by how far they are from the data, a line for everything one reads
  function drawGraph() {
    const run = runs.find((one) => one.name === focus);
    if (!run) return;
    const svg = (tag, values) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(values || {})) made.setAttribute(name, value);
      return made;
    };
    const by = new Map(run.stages.map((one) => [one.name, one])), depth = new Map();
    const far = (one) => {
      if (depth.has(one.name)) return depth.get(one.name);
      depth.set(one.name, 0);
      const found = Math.max(-1, ...one.inputs.filter((name) => by.has(name)).map((name) => far(by.get(name)))) + 1;
      depth.set(one.name, found);
      return found;
    };
    run.stages.forEach(far);
    const columns = [];
    for (const one of run.stages) (columns[depth.get(one.name)] ||= []).push(one);
    const W = 132, H = 44, GAP = 48, spot = new Map();
    columns.forEach((column, x) => column.forEach((one, y) => spot.set(one.name, [4 + x * (W + GAP), 4 + y * (H + 12)])));
    const width = columns.length * (W + GAP) - GAP + 8, height = Math.max(...columns.map((column) => column.length)) * (H + 12);
    const root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    for (const one of run.stages) for (const name of one.inputs) {
      if (!spot.has(name)) continue;
      const [x1, y1] = spot.get(name), [x2, y2] = spot.get(one.name), start = x1 + W, middle = x2 - GAP / 2;
      root.append(svg("path", { d: `M${start},${y1 + H / 2} C${start + GAP / 2},${y1 + H / 2} ${middle},${y2 + H / 2} ${x2},${y2 + H / 2}` }));
    }
    for (const one of run.stages) {
      const [x, y] = spot.get(one.name);
      const group = svg("g", { class: (one.state === "skipped" ? "done" : one.state) + (one.name === stage ? " chosen" : ""), tabindex: 0, role: "button" });
      group.setAttribute("aria-label", `${one.name} ${one.method}: ${words[one.state] || one.state}`);
      group.dataset.id = one.name;
      const name = svg("text", { x: x + 12, y: y + 19 }), method = svg("text", { x: x + 12, y: y + 35, class: "method" });
      name.textContent = one.name.length > 16 ? one.name.slice(0, 15) + "…" : one.name;
      method.textContent = (words[one.state] || one.state) + (one.seconds ? " · " + clock(one.seconds) : "");
      group.append(svg("rect", { x, y, width: W, height: H, rx: 8, class: "box" }), name, method);
      const choose = () => { stage = one.name; known = -Infinity; sample = null; if (one.curves) { stages = new Set([one.name]); keys = null; } drawnRuns = ""; soon(); };
      group.addEventListener("click", choose);
      group.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
      root.append(group);
    }
    replace(at("graph"), [root]);
  }

  // --- the loop ---
  let timer = 0, busy = false, again = false;
  function soon() {
    if (busy) { again = true; return; }
    clearTimeout(timer);
    turn();
  }
  async function turn() {
    busy = true;
    try {
      if (!document.hidden) { await look(); await curves(); await details(); }
      if (!at("problem").hidden && at("problem").dataset.lost) { tell(""); delete at("problem").dataset.lost; }
    } catch (error) {
      tell(failure(error));
      at("problem").dataset.lost = "1";
    }
    busy = false;
    timer = setTimeout(turn, again ? 50 : EVERY);
    again = false;
  }
  at("smooth").addEventListener("input", () => { smooth = Number(at("smooth").value); at("smoothness").textContent = smooth; store.clear(); soon(); });
  at("differing").addEventListener("change", () => { known = -Infinity; soon(); });
  addEventListener("resize", () => { drawn = ""; soon(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
  new MutationObserver(() => { drawn = ""; drawnRuns = ""; soon(); }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  turn();
});
