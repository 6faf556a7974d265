// What every figure is made of: elements, the frame, native controls, charts.
// A figure's own file has one function, render({ model, el }), and calls figure() first.

// ---- elements

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((c) => c !== null && c !== undefined));
  return node;
}

// JupyterLab reads keys as its own shortcuts (an arrow leaves the cell) unless the element that has
// the focus bears this attribute itself; an ancestor's does not count.
const TAKES_KEYS = "input, select, textarea, button, summary, [tabindex]";
function h(tag, attributes = {}, ...children) {
  const node = fill(document.createElement(tag), attributes, children);
  if (node.matches(TAKES_KEYS)) node.setAttribute("data-lm-suppress-shortcuts", "");
  // Back to this page, a browser would fill in the reader's last entries, and the figure know nothing of them.
  if (node.matches("input, select, textarea")) node.setAttribute("autocomplete", "off");
  return node;
}
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// Ids are counted on the page, not in the module: each figure has a copy of this file.
const newId = () => `kv-${(globalThis.kvIds = (globalThis.kvIds ?? 0) + 1)}`;

// Whether the reader asked for less motion.
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// ---- the frame

// How long, in ms, the reader has made no change before a change counts as the last of its series.
const REST = 400;

// Everything a figure shows stands in `el`: title, controls, body, the table, what a screen reader hears.
// Returns the figure: its parts, and
//   get(key), set(key, value)   the state, shared with Python where there is a kernel
//   set(key, value, REST)       the page draws now, a kernel hears of it after the rest or at send();
//                               after wait(), at send() alone
//   draw(fn)      call fn now, when the state changes and when the width does (f.width is set)
//   notice(text)  what went wrong with an input, until the next good one
//   say(text)     what a screen reader hears, after the rest
//   table(caption, headers, rows)   the drawing in words and numbers; first column names the row
function figure(el, model, { lead }) {
  const id = newId(), title = model.get("title");
  const f = { model, el, id, live: !(model instanceof PageModel), width: 0 };
  f.controls = h("div", { class: "kv-controls" });
  f.body = h("div", { class: "kv-body" });
  const noticed = h("p", { class: "kv-notice", role: "status" });
  const spoken = h("p", { class: "kv-spoken", role: "status" });
  const data = h("details", { class: "kv-data", ontoggle: () => tabulate() }, h("summary", {}, "As a table"));
  const grid = h("div", { class: "kv-scroll", tabindex: 0, role: "group", "aria-label": `${title}: the table` });
  data.append(grid);
  el.classList.add("kv-figure");
  fill(el, { role: "group", "aria-labelledby": id }, []);
  el.replaceChildren(
    h("p", { class: "kv-title", id }, title),
    lead ? h("p", { class: "kv-lead" }, lead) : "",
    f.controls, noticed, f.body, data, spoken,
  );

  f.get = (key) => model.get(key);
  let unsent = null;
  f.send = () => {
    if (unsent === null) return;
    clearTimeout(unsent);
    unsent = null;
    model.save_changes();
  };
  f.wait = () => clearTimeout(unsent);
  f.set = (key, value, rest = 0) => {
    if (model.get(key) === value) return;
    model.set(key, value);
    clearTimeout(unsent);
    unsent = setTimeout(f.send, rest);
    if (!rest) f.send();
  };
  f.notice = (text) => { noticed.textContent = text; };

  // Nothing is spoken until something has changed: opening a page is not a change.
  let spoke, changed = false;
  model.on("change", () => { changed = true; });
  f.say = (text) => {
    clearTimeout(spoke);
    if (!changed) return;
    spoke = setTimeout(() => { spoken.textContent = text; }, REST);
  };

  let rows = null;
  const tabulate = () => {
    if (!rows || !data.open) return;
    grid.replaceChildren(table(...rows));
    rows = null;
  };
  f.table = (...args) => { rows = args; tabulate(); };

  f.draw = (fn) => {
    let waiting = false;
    const now = () => { waiting = false; f.width = f.body.clientWidth || 640; fn(); };
    const soon = () => { if (!waiting) { waiting = true; queueMicrotask(now); } };
    model.on("change", soon);
    new ResizeObserver(() => { if (f.body.clientWidth !== f.width) soon(); }).observe(f.body);
    now();
  };
  return f;
}

function table(caption, headers, rows) {
  const cell = (value, i) => h(i ? "td" : "th", i ? {} : { scope: "row" }, String(value));
  return h("table", {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, headers.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell)))));
}

// ---- controls: each shows f's state at `key`, and sets it. Bounds and choices come from Python.

function follow(f, key, show) {
  f.model.on(`change:${key}`, show);
  show();
}

// A whole number: a slider and a field. `stops` are the slider's values when it should not go evenly.
function number(f, key, { label, unit = "", stops, step = 1, at = f.controls }) {
  const [least, most] = f.get("limits")[key];
  const id = newId();
  const near = (n) => stops.reduce((best, s, i) => (Math.abs(s - n) < Math.abs(stops[best] - n) ? i : best), 0);
  const words = (n) => `${group(n)}${unit && ` ${n === 1 ? unit.replace(/s$/, "") : unit}`}`;
  const slider = h("input", {
    type: "range", "aria-label": `${label}, slider`, step: stops ? 1 : step,
    min: stops ? 0 : least, max: stops ? stops.length - 1 : most,
    oninput: () => { f.notice(""); f.set(key, stops ? stops[slider.valueAsNumber] : slider.valueAsNumber); },
  });
  const field = h("input", {
    type: "number", id, min: least, max: most, step: 1, inputmode: "numeric",
    oninput: () => {
      const n = field.valueAsNumber;
      if (Number.isInteger(n) && n >= least && n <= most) { f.notice(""); f.set(key, n, REST); }
      else f.wait(); // what was typed before is no number that the reader means
    },
    onchange: () => { hold(); show(); f.send(); },
  });
  const hold = () => {
    const n = field.valueAsNumber;
    if (Number.isInteger(n) && n >= least && n <= most) return;
    const held = Number.isNaN(n) ? f.get(key) : Math.min(most, Math.max(least, Math.trunc(n)));
    f.notice(`${label} is a whole number from ${group(least)} to ${words(most)}: held at ${words(held)}.`);
    f.set(key, held);
  };
  const show = () => {
    const n = f.get(key);
    slider.value = stops ? near(n) : n;
    slider.setAttribute("aria-valuetext", words(n));
    if (document.activeElement !== field || field.valueAsNumber !== n) field.value = n;
  };
  at.append(h("div", { class: "kv-control" },
    h("label", { for: id }, label), h("span", { class: "kv-entry" }, field, h("span", { class: "kv-unit" }, unit)),
    slider));
  follow(f, key, show);
}

// One of Python's choices. `names` may give a choice a longer name.
function choice(f, key, { label, names = {}, at = f.controls }) {
  const id = newId();
  const options = f.get("limits")[key].map((value) => h("option", { value }, names[value] ?? value));
  const select = h("select", { id, onchange: () => { f.notice(""); f.set(key, select.value); } }, options);
  at.append(h("div", { class: "kv-control" }, h("label", { for: id }, label), select));
  follow(f, key, () => { select.value = f.get(key); });
}

function checkbox(f, key, { label, at = f.controls }) {
  const box = h("input", { type: "checkbox", onchange: () => f.set(key, box.checked) });
  at.append(h("label", { class: "kv-control kv-check" }, box, label));
  follow(f, key, () => { box.checked = f.get(key); });
}

const button = (label, onclick, attributes = {}) => h("button", { type: "button", onclick, ...attributes }, label);

// Buttons that step through a number: back, next, and play unless the reader asked for less motion.
function stepper(f, key, { label, unit = "", pace = 700, at = f.controls }) {
  const [least, most] = f.get("limits")[key];
  const go = (by) => f.set(key, Math.min(most, Math.max(least, f.get(key) + by)));
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  const start = () => {
    if (f.get(key) === most) f.set(key, least);
    play.textContent = "Pause";
    timer = setInterval(() => { go(1); if (f.get(key) === most || !f.el.isConnected) stop(); }, pace);
  };
  const play = button("Play", () => (timer ? stop() : start()), { "aria-label": `Play or pause: ${label}` });
  const back = button("Back", () => { stop(); go(-1); }, { "aria-label": `Back: ${label}` });
  const on = button("Next", () => { stop(); go(1); }, { "aria-label": `Next: ${label}` });
  number(f, key, { label, unit, at });
  at.append(h("div", { class: "kv-buttons" }, back, on, calm() ? null : play));
}

// ---- a chart: lines over two axes, each linear or log

// x, y: { min, max, log, label, ticks: [[value, text]…] }; series: { points: [[x, y]…], color, dash, name, dot }
// `alt` says in a sentence what the chart shows; its numbers belong in f.table.
function chart(width, height, { x, y, series, alt, marks = [] }) {
  const left = 62, right = 20, top = 12, bottom = 40;
  const scale = (axis, from, to) => {
    const g = axis.log ? Math.log2 : (n) => n;
    return (n) => from + ((g(n) - g(axis.min)) / (g(axis.max) - g(axis.min) || 1)) * (to - from);
  };
  const px = scale(x, left, width - right), py = scale(y, height - bottom, top);
  const path = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${px(a).toFixed(1)} ${py(b).toFixed(1)}`).join("");
  return svg("svg", { class: "kv-chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": alt },
    y.ticks.map(([n, text]) => [
      svg("line", { class: "kv-grid", x1: left, x2: width - right, y1: py(n), y2: py(n) }),
      svg("text", { x: left - 8, y: py(n) + 4, "text-anchor": "end" }, text)]),
    x.ticks.map(([n, text]) => svg("text", { x: px(n), y: height - bottom + 18, "text-anchor": "middle" }, text)),
    svg("line", { class: "kv-axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    svg("text", { class: "kv-axis-label", x: width - right, y: height - 4, "text-anchor": "end" }, x.label),
    svg("text", { class: "kv-axis-label", x: 0, y: 10 }, y.label),
    series.map((s) => svg("path", {
      d: path(s.points), style: `stroke: var(--kv-${s.color})`, "stroke-dasharray": s.dash, class: "kv-line" })),
    series.filter((s) => s.name).map((s) => {
      const [a, b] = s.points.at(-1);
      return svg("text", { class: "kv-name", x: px(a) - 4, y: py(b) - 7, "text-anchor": "end", style: `fill: var(--kv-${s.color})` }, s.name);
    }),
    marks.map(([a, b, color]) => svg("circle", { cx: px(a), cy: py(b), r: 5, style: `fill: var(--kv-${color})` })));
}
