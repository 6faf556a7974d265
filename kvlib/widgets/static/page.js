// A page without a kernel: the state in its address, the model in place of anywidget's, the start; and what
// every reader is offered, a link to a setting and the way back to the first one.

// Reads the state of every control from the address under `name` ("budget.context=4096"), and writes it there
// when the reader changes it; another link followed in the same tab is read too. What can't be read keeps its
// default, and a notice says so. Offers a link to the setting and Reset. Call it after the controls, before
// f.draw. With a kernel only Reset: the address of a notebook is not the figure's.
function share(f, name) {
  // What is pinned as A, controls.js, belongs to the setting.
  const keys = Object.keys(f.get("limits")).flatMap((key) => (f.get(`a_${key}`) === undefined ? [key] : [key, `a_${key}`]));
  const first = Object.fromEntries(keys.map((key) => [key, f.get(key)]));
  const reset = button("Reset", () => { f.notice(""); f.put(first); });
  const offer = h("div", { class: "kv-buttons kv-offer" });
  f.el.querySelector(".kv-data").before(offer);
  if (f.live) return offer.append(reset);

  const used = (globalThis.kvShared ??= {});
  used[name] = (used[name] ?? 0) + 1;
  const prefix = used[name] > 1 ? `${name}${used[name]}.` : `${name}.`;
  const inHash = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

  const readable = (key, text) => {
    const limit = f.get("limits")[key.replace(/^a_/, "")];
    if (typeof limit === "string") return new RegExp(`^(?:${limit})$`).test(text) ? text : undefined;
    const [least, most] = limit;
    if (typeof least !== "number" || limit.length !== 2) return limit.find((value) => String(value) === text);
    const n = /^\d+$/.test(text) ? Number(text) : NaN;
    return n >= least && n <= most ? n : undefined;
  };
  // Puts the address's setting in place; whether it has one for this figure.
  const read = () => {
    const asked = inHash(), bad = [], found = { ...first };
    if (!keys.some((key) => asked.has(prefix + key))) return false;
    for (const key of keys) {
      const text = asked.get(prefix + key);
      const value = text === null ? first[key] : readable(key, text);
      if (value === undefined) bad.push(`${key.replace(/_/g, " ")} “${text}”`);
      else found[key] = value;
    }
    f.put(found);
    f.notice(bad.length ? `The link's ${bad.join(", ")} can't be read: the default stands instead.` : "");
    return true;
  };
  const toFigure = () => requestAnimationFrame(() => f.el.scrollIntoView());
  // A reload stays where it was; a link followed goes to its figure.
  if (read() && performance.getEntriesByType("navigation")[0]?.type === "navigate") toFigure();
  addEventListener("hashchange", () => { if (read()) toFigure(); });

  const write = () => {
    clearTimeout(timer);
    const params = inHash();
    for (const key of keys) {
      if (key.startsWith("a_") && !f.get("pinned")) params.delete(prefix + key);
      else params.set(prefix + key, f.get(key));
    }
    history.replaceState(null, "", `#${params}`);
  };
  // Browsers limit how often the address may change: it is written once the reader rests.
  let timer;
  const soon = () => { clearTimeout(timer); timer = setTimeout(write, REST); };
  for (const key of keys) f.model.on(`change:${key}`, soon);
  offer.append(button("Copy a link to this setting", async () => {
    write();
    try {
      await navigator.clipboard.writeText(location.href);
      f.notice("Copied.", true);
    } catch {
      f.notice("The address bar now holds this setting: copy it from there.", true);
    }
  }), reset);
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
