// A page without a kernel: the state in its address, the model in place of anywidget's, the start.

// ---- state in the address, so that a setting can be shared

// Reads `keys` from the address under `name`, and writes them there when the reader changes one.
// What can't be read keeps its default, and a notice says so. Only in a page without a kernel: the
// address of a notebook is not the figure's.
function share(f, name, keys) {
  if (f.live) return;
  const used = (globalThis.kvShared ??= {});
  used[name] = (used[name] ?? 0) + 1;
  const prefix = used[name] > 1 ? `${name}${used[name]}.` : `${name}.`;
  const readable = (key, text) => {
    const limit = f.get("limits")[key];
    if (typeof f.get(key) !== "number") return limit.includes(text) ? text : undefined;
    const n = /^\d+$/.test(text) ? Number(text) : NaN;
    return n >= limit[0] && n <= limit[1] ? n : undefined;
  };
  const inHash = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const asked = inHash();
  const bad = [];
  for (const key of keys) {
    const text = asked.get(prefix + key);
    if (text === null) continue;
    const value = readable(key, text);
    if (value === undefined) bad.push(`${key.replace(/_/g, " ")} “${text}”`);
    else f.set(key, value);
  }
  if (keys.some((key) => asked.has(prefix + key))) requestAnimationFrame(() => f.el.scrollIntoView());
  if (bad.length) f.notice(`The link's ${bad.join(", ")} can't be read: the default stands instead.`);
  const write = () => {
    const params = inHash();
    for (const key of keys) params.set(prefix + key, f.get(key));
    history.replaceState(null, "", `#${params}`);
  };
  // Browsers limit how often the address may change: it is written once the reader rests.
  let timer;
  const soon = () => { clearTimeout(timer); timer = setTimeout(write, REST); };
  for (const key of keys) f.model.on(`change:${key}`, soon);
  f.share = write;
}

// ---- the model in a page without a kernel: what of anywidget's a figure uses

class PageModel {
  constructor(state) { this.state = state; this.handlers = {}; }
  get(key) { return this.state[key]; }
  set(key, value) {
    if (this.state[key] === value) return;
    this.state[key] = value;
    for (const name of [`change:${key}`, "change"]) for (const handler of this.handlers[name] ?? []) handler();
  }
  on(name, handler) { (this.handlers[name] ??= []).push(handler); }
  off(name, handler) { this.handlers[name] = (this.handlers[name] ?? []).filter((other) => other !== handler); }
  save_changes() {}
}

// Puts a figure in place of its static table; if it can't start, the table stays and says why.
function mount(id, render) {
  const page = document.getElementById(id);
  const table = page.querySelector(".kv-static");
  const el = h("div");
  table.after(el);
  try {
    render({ model: new PageModel(JSON.parse(document.getElementById(`${id}-state`).textContent)), el });
    table.remove();
  } catch (error) {
    el.remove();
    table.append(h("p", { class: "kv-notice", role: "status" },
      `This figure could not start, so its table stands here with the default values (${error.message}).`));
  }
}
