// The frame of every figure, and the elements that it is made of. base.py begins with how to write a figure.

// ---- elements

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    // A page's policy may forbid the attribute, and never forbids this.
    else if (name === "style") node.style.cssText = value;
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

// A count with its noun: "1 token", "8,192 tokens".
const many = (n, one) => `${group(n)} ${one}${BigInt(n) === 1n ? "" : "s"}`;

// The level of a heading here: one below the last heading before `el`, 3 where there is none.
function level(el) {
  const before = [...document.querySelectorAll("h1, h2, h3, h4, h5")].filter((heading) =>
    !heading.closest(".kv-page, .kv-figure") && el.compareDocumentPosition(heading) === Node.DOCUMENT_POSITION_PRECEDING);
  return before.length ? Number(before.at(-1).tagName[1]) + 1 : 3;
}

// ---- the frame

// How long, in ms, the reader has made no change before a change counts as the last of its series.
const REST = 400;

// Everything a figure shows stands in `el`: title and lead, which are Python's, controls, body, the table, what
// a screen reader hears. Returns the figure: f.controls and f.body to put things in, f.width of the body, and
//   get(key)            the state, shared with Python where there is a kernel
//   set(key, value)     and in page and kernel at once; with REST, the page draws now and a kernel hears of it
//                       after the rest or at send(); after wait(), at send() alone
//   put({key: value})   several at once
//   draw(fn, still, at) call fn now, when the state changes and when the width does. `still`,
//                       { key: () => values }, is what a player plays: `at`, or the body, is as high as the
//                       highest of these, so the page keeps still
//   notice(text)        what went wrong with an input, until the next good one; notice(text, true) is good news
//   say(text)           what a screen reader hears: once, after the rest, and not while the reader drags or plays
//   table(caption, headers, rows)   the drawing in words and numbers; the first column names the row
function figure(el, model) {
  const id = newId(), title = model.get("title"), lead = model.get("lead");
  const f = { model, el, id, live: !(model instanceof PageModel), width: 0, follows: [] };
  f.controls = h("div", { class: "kv-controls" });
  f.body = h("div", { class: "kv-body" });
  const noticed = h("p", { class: "kv-notice", role: "status" });
  const spoken = h("p", { class: "kv-spoken", role: "status" });
  const data = h("details", { class: "kv-data", ontoggle: () => tabulate() }, h("summary", {}, "As a table"));
  const grid = scroller(`${title}: the table`);
  data.append(grid);
  el.classList.add("kv-figure");
  fill(el, { role: "group", "aria-labelledby": id }, []);
  el.replaceChildren(
    h(`h${level(el)}`, { class: "kv-title", id }, title),
    lead ? h("p", { class: "kv-lead" }, lead) : "",
    f.controls, noticed, f.body, data, spoken,
  );

  // While the body is measured, `posed` takes the state's place and nothing is said.
  let posed = null;
  f.get = (key) => (posed && key in posed ? posed[key] : model.get(key));
  let unsent = null;
  f.send = () => {
    if (unsent === null) return;
    clearTimeout(unsent);
    unsent = null;
    model.save_changes();
  };
  f.wait = () => clearTimeout(unsent);
  f.put = (values, rest = 0) => {
    const changed = Object.entries(values).filter(([key, value]) => model.get(key) !== value);
    if (!changed.length) return;
    for (const [key, value] of changed) model.set(key, value);
    clearTimeout(unsent);
    unsent = setTimeout(f.send, rest);
    if (!rest) f.send();
  };
  f.set = (key, value, rest = 0) => f.put({ [key]: value }, rest);
  f.notice = (text, good = false) => {
    noticed.textContent = text;
    noticed.classList.toggle("kv-good", good);
  };

  // Nothing is spoken until something has changed: opening a page is not a change.
  let speaking, words = "", changed = false, busy = 0;
  model.on("change", () => { changed = true; });
  const rest = () => {
    clearTimeout(speaking);
    if (changed && !busy) speaking = setTimeout(() => { spoken.textContent = words; }, REST);
  };
  f.say = (text) => { if (!posed) { words = text; rest(); } };
  // From hold(true) to hold(false), a drag or a play, nothing is said.
  f.hold = (on) => { busy += on ? 1 : -1; rest(); };

  let rows = null;
  const tabulate = () => {
    if (!rows || !data.open) return;
    grid.replaceChildren(table(...rows));
    rows = null;
  };
  f.table = (...args) => { if (!posed) { rows = args; tabulate(); } };

  f.draw = (fn, still = {}, at = f.body) => {
    const [[played, values] = []] = Object.entries(still);
    const others = Object.keys(f.get("limits")).filter((key) => key !== played);
    let measured = "";
    const reserve = () => {
      const of = JSON.stringify([f.width, ...others.map(f.get)]);
      if (!played || of === measured) return;
      measured = of;
      at.style.minHeight = "";
      const heights = values().map((value) => { posed = { [played]: value }; fn(); return Math.ceil(at.getBoundingClientRect().height); });
      posed = null;
      at.style.minHeight = `${Math.max(...heights)}px`;
    };
    let waiting = false;
    const now = () => { waiting = false; f.width = f.body.clientWidth || 640; reserve(); fn(); };
    const soon = () => { if (!waiting) { waiting = true; queueMicrotask(now); } };
    model.on("change", soon);
    new ResizeObserver(() => { if (f.body.clientWidth !== f.width) soon(); }).observe(f.body);
    now();
  };

  // Back on this page, a browser may have filled in other values than the figure has.
  addEventListener("pageshow", () => { for (const show of f.follows) show(); });
  return f;
}

// Calls show() now and whenever the state at `key` changes.
function follow(f, key, show) {
  f.model.on(`change:${key}`, show);
  f.follows.push(show);
  show();
}

// What may be wider than the page: it scrolls by itself, by keyboard too, and has a name.
const scroller = (label, ...children) => h("div", { class: "kv-scroll", tabindex: 0, role: "group", "aria-label": label }, children);

function table(caption, headers, rows) {
  const cell = (value, i) => h(i ? "td" : "th", i ? {} : { scope: "row" }, String(value));
  return h("table", {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, headers.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell)))));
}

// The result in large type and, in `el`, what belongs beside it. It stays in view while the reader goes through
// the controls; on a phone the last of them is a screen away. show(text, { why, bad }) sets it.
function verdict(f) {
  const big = h("p", { class: "kv-big" }), reason = h("p", { class: "kv-quiet kv-why" });
  const el = h("div", { class: "kv-verdict" }, big);
  f.controls.before(el, reason);
  // What the focus goes to is not scrolled to a place below it: style.css.
  new ResizeObserver(() => f.el.style.setProperty("--kv-verdict", `${el.offsetHeight}px`)).observe(el);
  const show = (text, { why = "", bad = false } = {}) => {
    big.textContent = text;
    reason.textContent = why;
    f.el.classList.toggle("kv-over", bad);
  };
  return { el, show };
}
