// Native controls: each shows f's state at `key`, and sets it. Bounds and choices are Python's, in "limits".
//   number(f, key, { label, unit, stops, step })   a slider and a field
//   choice(f, key, { label, names, put })          a list
//   checkbox(f, key, { label })
//   button(label, onclick)
//   player(f, key, { label, unit, pace, stops })   back, play, next and a scrubber; pace, or pace(), is ms a step
// `at` is where it is put, f.controls unless said otherwise.

// Nothing is said before the drag that begins now has ended.
function quietly(f) {
  f.hold(true);
  const end = new AbortController();
  for (const name of ["pointerup", "pointercancel"]) {
    addEventListener(name, () => { end.abort(); f.hold(false); }, { signal: end.signal });
  }
}

// A whole number. `stops`, or stops(), are the slider's values when it should not go evenly.
function number(f, key, { label, unit = "", stops, step = 1, at = f.controls }) {
  const [least, most] = f.get("limits")[key];
  const id = newId();
  const all = () => (typeof stops === "function" ? stops() : stops);
  const near = (n) => all().reduce((best, s, i, list) => (Math.abs(s - n) < Math.abs(list[best] - n) ? i : best), 0);
  const words = (n) => `${group(n)}${unit && ` ${n === 1 ? unit.replace(/s$/, "") : unit}`}`;
  const slider = h("input", {
    type: "range", "aria-label": `${label}, slider`, step: stops ? 1 : step,
    min: stops ? 0 : least, max: stops ? all().length - 1 : most, onpointerdown: () => quietly(f),
    oninput: () => { f.notice(""); f.set(key, stops ? all()[slider.valueAsNumber] : slider.valueAsNumber); },
  });
  const field = h("input", {
    type: "number", id, min: least, max: most, step: 1, inputmode: "numeric",
    style: `width: ${Math.max(4, String(most).length) + 2}ch`, "aria-describedby": unit ? `${id}-unit` : null,
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
    if (stops) slider.max = all().length - 1;
    slider.value = stops ? near(n) : n;
    slider.setAttribute("aria-valuetext", words(n));
    if (document.activeElement !== field || field.valueAsNumber !== n) field.value = n;
  };
  at.append(h("div", { class: "kv-control" },
    h("label", { for: id }, label),
    h("span", { class: "kv-entry" }, field, h("span", { class: "kv-unit", id: `${id}-unit` }, unit)),
    slider));
  follow(f, key, show);
}

// One of Python's choices. `names` may give a choice a longer name; put(value) is what choosing it sets, where
// that is more than the choice itself.
function choice(f, key, { label, names = {}, put = (value) => ({ [key]: value }), at = f.controls }) {
  const id = newId();
  const values = () => f.get("limits")[key];
  const select = h("select", { id, onchange: () => { f.notice(""); f.put(put(values()[select.selectedIndex])); } });
  at.append(h("div", { class: "kv-control" }, h("label", { for: id }, label), select));
  const show = () => { select.selectedIndex = values().indexOf(f.get(key)); };
  follow(f, "limits", () => {
    select.replaceChildren(...values().map((value) => h("option", { value }, names[value] ?? String(value))));
    show();
  });
  follow(f, key, show);
}

function checkbox(f, key, { label, at = f.controls }) {
  const box = h("input", { type: "checkbox", onchange: () => f.set(key, box.checked) });
  at.append(h("label", { class: "kv-control kv-check" }, box, label));
  follow(f, key, () => { box.checked = f.get(key); });
}

const button = (label, onclick, attributes = {}) => h("button", { type: "button", onclick, ...attributes }, label);

// Steps through a number: back, next, and play unless the reader asked for less motion; a scrubber goes anywhere.
// Give f.draw what is played, { step: () => [first, last] }, and the page keeps still.
// With stops() a step leads from one to the next.
function player(f, key, { label, unit = "", pace = 700, stops, at = f.controls }) {
  const ends = () => (stops ? [stops()[0], stops().at(-1)] : f.get("limits")[key]);
  const beside = (n, by) => (stops ? (by > 0 ? stops().find((s) => s > n) : stops().findLast((s) => s < n)) ?? n : n + by);
  const go = (by) => f.set(key, Math.min(ends()[1], Math.max(ends()[0], beside(f.get(key), by))));
  let timer = null;
  const show = () => {
    play.textContent = timer ? "Pause" : "Play";
    play.setAttribute("aria-label", `${play.textContent}: ${label}`);
  };
  const stop = () => {
    if (timer === null) return;
    clearInterval(timer);
    timer = null;
    f.hold(false);
    show();
  };
  const start = () => {
    if (f.get(key) >= ends()[1]) f.set(key, ends()[0]);
    f.hold(true);
    timer = setInterval(() => { go(1); if (f.get(key) >= ends()[1] || !f.el.isConnected) stop(); }, typeof pace === "function" ? pace() : pace);
    show();
  };
  const play = button("", () => (timer === null ? start() : stop()), { class: "kv-play" });
  show();
  const back = button("Back", () => { stop(); go(-1); }, { "aria-label": `Back: ${label}` });
  const next = button("Next", () => { stop(); go(1); }, { "aria-label": `Next: ${label}` });
  number(f, key, { label, unit, stops, at });
  at.append(h("div", { class: "kv-buttons" }, back, calm() ? null : play, next));
}
