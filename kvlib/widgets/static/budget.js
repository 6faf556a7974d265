// The budget: one bar of a GPU's memory, whose cache is dragged by its edge; what fits, what spills over, how fast
// a decode step can be; the setting beside another, A. Takes one more model by the event "kv-model": budget.py.
function render({ model, el }) {
  const f = figure(el, model);
  const powers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
  const bits = (name) => `${trimmed(fixed((8 * f.get("dtypes")[name].bytes) / f.get("dtypes")[name].values, 1))} bits`;
  const precisions = Object.fromEntries(Object.keys(f.get("dtypes")).map((name) => [name, `${name}: ${bits(name)}`]));
  const ROLES = ["weights", "overhead", "cache", "free", "spill"];

  const result = verdict(f);
  const bar = stack(f, ROLES, { height: 34 }), barA = stack(f, ROLES, { height: 14 });
  const torn = svg("path", { class: "kv-budget-torn" });
  bar.el.append(torn);
  const edge = h("div", { class: "kv-budget-edge", role: "slider", tabindex: 0, "aria-valuemin": 1 }, h("span", {}, "↔"));
  const nameA = h("p", { class: "kv-small kv-budget-name" }), nameB = h("p", { class: "kv-small kv-budget-name" });
  const besideA = h("div", {}, nameA, barA.el);
  result.el.append(nameB, h("div", { class: "kv-budget-bar" }, bar.el, edge), besideA);

  const ready = h("div", { class: "kv-buttons kv-presets" }), moved = h("div", { class: "kv-budget-moved" });
  result.el.before(ready);
  const preset = presets(f, f.get("presets"), ready);
  choice(f, "moves", { label: "The cache's edge moves", names: { sequences: "the sequences", context: "their context" }, at: moved });
  const fillUp = button("", () => most()), buttons = h("div", { class: "kv-buttons" }, fillUp);
  pin(f, SETTING, buttons);
  moved.append(buttons);
  const key = h("div"), figures = h("div");
  f.body.append(key, figures);
  f.controls.before(moved, f.body);

  choice(f, "model", { label: "Model" });
  choice(f, "gpu", { label: "GPU", names: Object.fromEntries(
    Object.entries(f.get("gpu_facts")).map(([name, [memory]]) => [name, `${name}: ${fmt(memory, "GiB")}`])) });
  choice(f, "weights", { label: "Weights' precision", names: precisions });
  choice(f, "dtype", { label: "Cache's precision", names: precisions });
  number(f, "gpus", { label: "GPUs", stops: powers(0, 6) });
  number(f, "context", { label: "Context", unit: "tokens", stops: powers(9, 24) });
  number(f, "batch", { label: "Sequences", unit: "sequences", stops: powers(0, 12) });
  // Only for a model that attends to a source sequence too: an encoder's output, a picture.
  const source = h("div", { style: "display: contents" });
  f.controls.append(source);
  number(f, "source_len", { label: "Source", unit: "tokens", stops: [0, ...powers(6, 16)], at: source });
  const sourceControl = source.firstChild;
  number(f, "overhead_mib", { label: "Overhead, all GPUs together", unit: "MiB", stops: [0, ...powers(8, 16)] });
  number(f, "utilization", { label: "Usable share", unit: "%" });
  share(f, "budget");

  el.addEventListener("kv-model", ({ detail }) => {
    const { name, ...facts } = detail ?? {};
    if (typeof name !== "string" || !Array.isArray(facts.kept) || !("total" in facts && "weights_read" in facts && "made_for" in facts)) {
      throw new TypeError("kv-model needs a name and what kvlib.widgets.budget_settings.facts returns");
    }
    const limits = f.get("limits"), names = [...new Set([...limits.model, name])];
    f.put({ models: { ...f.get("models"), [name]: facts }, limits: { ...limits, model: names } });
    f.put({ model: name });
  });

  // ---- the edge

  // What is drawn now, the bytes that the bar's width stands for, and where the cache ends in pixels.
  let s, whole, at;
  const moving = () => (f.get("moves") === "sequences"
    ? { name: "batch", step: 1, cacheOf: (n) => s.cacheOf(s.context, n), fits: s.sequences }
    : { name: "context", step: 256, cacheOf: (n) => s.cacheOf(n, s.batch), fits: s.longest });
  const within = (name, n) => { const [least, most] = f.get("limits")[name]; return Math.min(most, Math.max(least, n)); };
  const px = (bytes) => Math.min(f.width - 1, 1 + (f.width - 2) * ratio(bytes, whole));
  // The setting whose cache ends nearest to x pixels; near the usable line, the last that fits.
  function reached(x) {
    const { name, step, cacheOf, fits } = moving(), [least, most] = f.get("limits")[name];
    if (fits && Math.abs(px(s.usable) - x) <= 4) return within(name, Number(fits));
    const pixel = Number(whole) / (f.width - 2);
    const bytes = BigInt(Math.round((Math.min(x, f.width - 1) - 1) * pixel)) - s.held - s.overhead;
    let grain = step;
    while (grain > 1 && cacheOf(2 * grain) - cacheOf(grain) > pixel) grain /= 2;
    return nearest(cacheOf, bytes, { least, most, grain }) ?? f.get(name);
  }
  let grip = 0;
  edge.addEventListener("pointerdown", (event) => {
    edge.setPointerCapture(event.pointerId);
    grip = event.clientX - at;
    quietly(f);
    event.preventDefault();
    edge.focus({ preventScroll: true });
    f.notice("");
  });
  edge.addEventListener("pointermove", (event) => {
    if (edge.hasPointerCapture(event.pointerId)) f.set(moving().name, reached(event.clientX - grip), REST);
  });
  for (const name of ["pointerup", "pointercancel"]) edge.addEventListener(name, () => f.send());
  edge.addEventListener("keydown", (event) => {
    const { name, step } = moving(), now = f.get(name);
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 16, PageDown: -16 }[event.key];
    const to = by ? step * ((by > 0 ? Math.floor : Math.ceil)(now / step) + by)
      : event.key === "Home" ? 1 : event.key === "End" ? Math.max(now, reached(f.width)) : null;
    if (to === null) return;
    event.preventDefault();
    f.notice("");
    f.set(name, within(name, to), REST);
  });
  function most() {
    const { name, fits } = moving(), ends = name === "context" && s.made_for !== null && (fits === null || fits > s.made_for);
    if (fits === 0n) return f.notice(`Not one of these ${name === "batch" ? "sequences" : "tokens"} fits.`);
    if (fits === null && !ends) return f.notice("Memory sets no end here.");
    f.notice("");
    f.set(name, within(name, ends ? s.made_for : Number(fits)));
  }

  // ---- the drawing

  // Up to the usable line what lies there, beyond it what does not fit, as far as the width reaches.
  function parts(of) {
    let room = of.usable;
    const before = [["weights", of.held], ["overhead", of.overhead], ["cache", of.cache]].map(([role, bytes]) => {
      const held = bytes < room ? bytes : room;
      room -= held;
      return [role, held];
    });
    const beyond = whole - of.usable;
    return [...before, ["free", room], ["spill", of.short < beyond ? of.short : beyond]];
  }
  const said = (of) => (of.short ? `Does not fit: ${fmt(of.short)} short` : `Fits, with ${fmt(of.free)} to spare`);
  const inWords = (of) => `${said(of)}. Weights ${fmt(of.held)}, overhead ${fmt(of.overhead)}, cache ${fmt(of.cache)}; usable ${fmt(of.usable)} of ${fmt(of.all)}.`;

  function drawEdge() {
    at = px(s.needed);
    const { name, step } = moving(), now = f.get(name), left = Math.min(Math.max(0, at - 14), f.width - 28);
    edge.style.left = `${left}px`;
    edge.style.setProperty("--kv-line", `${at - left}px`);
    fill(torn, { d: s.needed > whole ? `M${f.width - 14} 4l-5 44M${f.width - 8} 4l-5 44` : "" }, []);
    fill(edge, { "aria-label": `The cache's edge: ${name === "batch" ? "sequences" : "context"}`, "aria-valuenow": now,
      "aria-valuemax": Math.max(now, reached(f.width), within(name, step)),
      "aria-valuetext": `${many(now, name === "batch" ? "sequence" : "token")}: cache ${fmt(s.cache)}. ${said(s)}` }, []);
    fillUp.textContent = name === "batch" ? "As many as fit" : "As long as fits";
  }

  f.draw(() => {
    s = budgetOf(f);
    const a = f.get("pinned") ? budgetOf(f, "a_") : null;
    if (Boolean(s.cross) !== source.hasChildNodes()) source.replaceChildren(...(s.cross ? [sourceControl] : []));
    // The bar is four fifths of the width, so that what does not fit can spill over; the larger of two memories is.
    whole = (5n * (a && a.all > s.all ? a.all : s.all)) / 4n;
    const point = preset()?.point, beyond = s.made_for !== null && s.context > s.made_for;
    result.show(said(s), { bad: s.short > 0n, why: `${point ? `${point} ` : ""}${fmt(s.needed)} needed, ${fmt(s.usable)} usable: ${s.utilization} % of ${s.gpus} × ${fmt(s.memory)}.`
      + (beyond ? ` ${s.model} was made for ${many(s.made_for, "token")} of context: beyond that the figures hold, the model may not.` : "")
      + (s.step < s.held ? ` A decode step reads at least ${fmt(s.step)} of the weights.` : "") });

    bar.show(parts(s), whole, { limit: s.usable, end: s.all, alt: inWords(s) });
    drawEdge();
    nameB.textContent = a ? `B: ${s.model} on ${s.gpus} × ${s.gpu}` : "";
    besideA.hidden = !a;
    if (a) {
      nameA.textContent = `A: ${a.model} on ${a.gpus} × ${a.gpu}. ${said(a)}`;
      barA.show(parts(a), whole, { limit: a.usable, end: a.all, alt: `A: ${inWords(a)}` });
    }
    const share = (bytes) => `${fixed(100 * ratio(bytes, s.all), 1)} %`;
    key.replaceChildren(legend(f, [
      ...[["weights", "Weights", s.held], ["overhead", "Overhead", s.overhead], ["cache", "Cache", s.cache],
        s.short ? ["spill", "Does not fit", s.short] : ["free", "Free", s.free]].map(([role, name, bytes]) => [role, name, fmt(bytes), share(bytes)]),
      ["limit", "Usable", fmt(s.usable)]]));

    const rows = budgetRows(f, s), cells = rows.slice(5).map(([name, kind, value, note]) => [name, spelt(f, kind, value), note]);
    const facts = h("dl", { class: "kv-facts" }, cells.map(([name, value, note]) => h("div", {}, h("dt", {}, name), h("dd", {}, value),
      note ? h("dd", { class: "kv-quiet kv-small" }, note) : null)));
    const against = a ? compared(f, a, s) : [];
    figures.replaceChildren(facts, ...(a ? [h("p", { class: "kv-heading" }, "A against B"),
      scroller("A against B", table(`A: ${a.named}. B: ${s.named}`, ["what", "A", "B", "B − A"], against))] : []));
    const change = against.filter(([name, , , by]) => by && by !== "the same" && /^(cache|free|most)/.test(name));
    f.say(`${said(s)}. ${[cells[0], cells[3]].map(([name, value]) => `${name}: ${value}`).join(". ")}.`
      + (change.length ? ` Against A: ${change.map(([name, , , by]) => `${name.split(",")[0]} ${by}`).join(", ")}.` : "") + (point ? ` ${point}` : ""));
    f.table(s.named, ["what", "value", "bytes"], rows.map((row) => budgetCells(f, row)));
  });
}
