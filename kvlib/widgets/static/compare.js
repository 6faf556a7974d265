// Settings to jump to, and one to compare with. Carried by the figures that call them.
//   presets(f, list, at)   a button for each ready setting
//   pin(f, keys, at)       a button that keeps a setting as A

// Ready settings, [{ name, set: { key: value… } }…], a button each; that of the one that stands is pressed. Returns
// a function of that one, undefined where none does.
function presets(f, list, at) {
  const here = () => list.find(({ set }) => Object.entries(set).every(([key, value]) => f.get(key) === value));
  const all = list.map(({ name, set }) => button(name, () => { f.notice(""); f.put(set); }));
  at.append(...all);
  const show = () => all.forEach((one, i) => one.setAttribute("aria-pressed", list[i] === here()));
  f.model.on("change", show);
  show();
  return here;
}

// Keeps the state at `keys` as A, "a_" before each key, to compare what follows with; pressed again, lets it go.
function pin(f, keys, at) {
  const one = button("", () => f.put(f.get("pinned") ? { pinned: false }
    : { pinned: true, ...Object.fromEntries(keys.map((key) => [`a_${key}`, f.get(key)])) }));
  at.append(one);
  follow(f, "pinned", () => { one.textContent = f.get("pinned") ? "Unpin A" : "Pin this as A"; });
}
