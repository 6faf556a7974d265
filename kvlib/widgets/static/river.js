// The byte river: a GPU's memory left, its chip right, between them a pipe as wide as its bandwidth. In one step
// every byte passes once: the weights for all, then each sequence's cache. The flow fills as much of the pipe, and
// the arithmetic as much of the chip, as its share of the step's time: what is full is what the other waits for.
function render({ model, el }) {
  const f = figure(el, model);
  const KEYS = ["phase", "model", "gpu", "weights", "dtype", "context", "batch"];
  const UNKNOWN = "the GPU's peak is not known";
  const powers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
  const percent = (a, b) => `${fixed(100 * ratio(a, b), 0)} %`;

  const result = verdict(f);
  const picture = svg("svg", { class: "kv-river", role: "img" });
  const drawn = svg("g"), grip = svg("rect", { class: "kv-river-grip", width: 34, height: 9, rx: 4 });
  picture.append(drawn, grip);
  const played = h("div", { class: "kv-river-played" }), key = h("div"), times = h("div"), roof = h("div");
  f.body.append(picture, played, key, h("div", { class: "kv-river-two" }, times, roof));
  f.controls.before(f.body);
  const ready = { Chat: [2048, 1], "One 128K document": [131072, 1], "64 users": [4096, 64] };
  const above = h("div", { class: "kv-buttons kv-presets" });
  f.controls.before(above);
  presets(f, Object.entries(ready).map(([name, [context, batch]]) => ({ name, set: { phase: "decode", context, batch } })), above);
  pin(f, KEYS, above);
  player(f, "elapsed", { label: "Elapsed", unit: "%", at: played, pace: () => (1000 * shown.seconds * shown.slower) / 100 });
  choice(f, "phase", { label: "Step", names: { decode: "decode: one new token each", prefill: "prefill: all of a prompt" } });
  number(f, "batch", { label: "Sequences", unit: "sequences", stops: [...powers(0, 3), 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512] });
  number(f, "context", { label: "Context", unit: "tokens", stops: powers(4, 17) });
  choice(f, "model", { label: "Model" });
  choice(f, "gpu", { label: "GPU", names: Object.fromEntries(
    Object.entries(f.get("gpu_facts")).map(([name, [, bandwidth]]) => [name, `${name}: ${fmt(bandwidth, "TB")}/s`])) });
  choice(f, "weights", { label: "Weights' precision" });
  choice(f, "dtype", { label: "Cache's precision" });
  share(f, "river");

  // river.Setting: what is chosen, and what follows from it.
  function setting(prefix = "") {
    const s = Object.fromEntries(KEYS.map((name) => [name, f.get(prefix + name)]));
    const { kept, total, work, made_for } = f.get("models")[s.model];
    const [memory, bandwidth, peak, source] = f.get("gpu_facts")[s.gpu].map((n) => (typeof n === "number" ? BigInt(n) : n));
    const kind = f.get("dtypes")[s.weights], each = (n) => layoutBytes(kept, n, 1, f.get("dtypes")[s.dtype]);
    const held = nbytes(total, kind), weights = nbytes(work.weights, kind), one = each(s.context), prefill = s.phase === "prefill";
    const usable = (9n * memory) / 10n, room = usable - held, need = held + BigInt(s.batch) * one;
    const most = room < one ? 0 : Number(room / one);
    const step = (batch, context = s.context) => {
      const cache = BigInt(batch) * each(context), operations = arithmetic(work, context, batch, prefill);
      const moving = ratio(weights + cache, bandwidth), compute = peak ? ratio(operations, peak) : null;
      const bound = compute !== null && compute > moving ? "arithmetic" : cache > weights ? "cache" : "weights";
      return { cache, operations, moving, compute, bound, seconds: Math.max(moving, compute ?? 0), moved: weights + cache };
    };
    return { ...s, prefill, memory, bandwidth, peak, source, held, weights, one, most, usable, made_for, step, running: Math.min(s.batch, most),
      short: need > usable ? need - usable : 0n, turn: turns({ work, weights, each, kept: each, bandwidth, peak, context: s.context }),
      named: `${s.phase}, ${s.model} (${s.weights}) on ${s.gpu}, ${group(s.batch)} × ${group(s.context)} tokens (${s.dtype})` };
  }

  // ---- the drawing

  const TOP = 24, HIGH = 240, SPILL = 34;
  let band = () => 1; // from a height in the drawing to the sequences that reach it
  function draw(s, step) {
    const width = f.width, left = 0.34 * width, chip = Math.min(110, 0.2 * width), right = width - chip - 1, mid = TOP + HIGH / 2;
    const px = (bytes) => HIGH * ratio(bytes, s.memory), top = TOP + Math.min(HIGH, px(s.held)), tall = px(s.one);
    const rows = (n, at) => (tall < 2 ? [[1, at, left, tall * n]] : Array.from({ length: n }, (_, i) => [1, at + i * tall, left, tall - 1]));
    // In a thin band a texture is noise: the bands themselves are one.
    const part = (role, all, thin = false) => boxes("kv-part", all, { fill: thin ? `var(--kv-${role})` : texture(f, role),
      style: `stroke: ${thin ? "none" : `var(--kv-${role})`}`, "data-role": role });
    const end = top + s.running * tall, waiting = s.batch - s.running;
    const nodes = [
      svg("text", { x: 1, y: 14 }, `${s.gpu}: ${fmt(s.memory, "GiB", 1)}`),
      svg("rect", { class: "kv-whole", x: 1, y: TOP, width: left, height: HIGH }),
      part("weights", [[1, TOP, left, top - TOP]]), part("cache", rows(s.running, top), tall >= 2 && tall < 8),
      svg("line", { class: "kv-limit", x1: 1, x2: left + 1, y1: TOP + px(s.usable), y2: TOP + px(s.usable) })];
    // What does not fit lies below the memory's floor.
    if (waiting) {
      nodes.push(svg("rect", { class: "kv-river-spill", x: 8, y: TOP + HIGH + 5, width: left - 14, height: Math.max(6, Math.min(SPILL, tall * waiting)) }),
        svg("text", { x: left + 8, y: TOP + HIGH + 22 }, s.running ? `${many(waiting, "sequence")} must wait` : "does not fit"));
    }
    const thick = Math.max(4, 100 * ratio(s.bandwidth, 8n * UNITS.TB)), x0 = left + 12, length = right - x0 - 3;
    nodes.push(svg("text", { x: (x0 + right) / 2, y: 14, "text-anchor": "middle" }, `${fmt(s.bandwidth, "TB")}/s`),
      svg("rect", { class: "kv-whole", x: x0, y: mid - thick / 2, width: length, height: thick }),
      svg("rect", { class: "kv-river-chip", x: right, y: mid - chip / 2, width: chip, height: chip }));
    let says = "nothing moves";
    if (step) {
      const passed = (ratio(step.moved, 1n) * f.get("elapsed")) / 100, weights = Number(s.weights), one = Number(s.one), moved = Number(step.moved);
      const busy = step.compute === null ? 0 : step.compute / step.seconds, flow = thick * (step.moving / step.seconds);
      // The pipe holds a sixth of the step's bytes: what arrives now, and what follows it. A prompt's cache is
      // written: it comes from the chip, once the weights have passed.
      const view = moved / 6, far = (at) => length * Math.min(1, Math.max(0, (at - passed) / view)), writes = s.prefill && passed >= weights;
      const piece = (from, to, gap) => [writes ? x0 + far(from) : x0 + length - far(to), mid - flow / 2, Math.max(0, far(to) - far(from) - gap), flow];
      const gap = (length * one) / view >= 3 ? 1 : 0;
      const from = Math.max(0, Math.floor((passed - weights) / one)), to = Math.min(s.running, Math.ceil((passed + view - weights) / one));
      const caches = gap ? Array.from({ length: Math.max(0, to - from) }, (_, i) => piece(weights + (from + i) * one, weights + (from + i + 1) * one, gap))
        : [piece(weights, moved, 0)];
      const read = passed < weights ? TOP + ((top - TOP) * passed) / weights : top + (tall * (passed - weights)) / one;
      nodes.push(part("weights", [piece(0, weights, 0)]), part("cache", s.prefill && !writes ? [] : caches),
        svg("rect", { class: "kv-river-read", x: left + 3, y: TOP, width: 5, height: Math.max(0, read - TOP).toFixed(1) }),
        svg("rect", { class: "kv-river-busy", x: right, y: mid + chip / 2 - chip * busy, width: chip, height: chip * busy }),
        svg("text", { x: right + chip, y: mid + chip / 2 + 18, "text-anchor": "end" }, step.compute === null ? "peak ?" : `busy ${fixed(100 * busy, 0)} %`));
      const nth = `${group(Math.min(s.running, Math.max(0, Math.floor((passed - weights) / one)) + 1))} of ${group(s.running)}`;
      const [label, words] = passed >= moved ? ["all has passed", "all has passed"] : passed < weights ? ["weights →", "the weights pass, for all sequences"]
        : s.prefill ? [`← cache ${nth}, written`, `the cache of prompt ${nth} is written`] : [`cache ${nth} →`, `the cache of sequence ${nth} passes`];
      says = words;
      nodes.push(svg("text", { x: (x0 + right) / 2, y: mid + 68, "text-anchor": "middle", class: "kv-name" }, label),
        svg("text", { x: (x0 + right) / 2, y: mid + 86, "text-anchor": "middle" }, fmtSeconds((step.seconds * f.get("elapsed")) / 100)));
    }
    drawn.replaceChildren(...nodes);
    const edge = Math.min(TOP + HIGH, end);
    fill(grip, { x: left / 2 - 16, y: edge - 4 }, []);
    band = (y) => Math.round((y - top) / tall);
    fill(picture, { width, height: TOP + HIGH + SPILL + 8, viewBox: `0 0 ${width} ${TOP + HIGH + SPILL + 8}`,
      "aria-label": `${s.named}. ${step ? `${f.get("elapsed")} % of the step has passed: ${says}.` : "It does not fit."}` }, []);
    return says;
  }
  grip.addEventListener("pointerdown", (event) => {
    grip.setPointerCapture(event.pointerId);
    quietly(f);
    event.preventDefault();
  });
  grip.addEventListener("pointermove", (event) => {
    if (!grip.hasPointerCapture(event.pointerId)) return;
    const box = picture.getBoundingClientRect(), [least, most] = f.get("limits").batch;
    f.set("batch", Math.min(most, Math.max(least, band(((event.clientY - box.top) * (TOP + HIGH + SPILL + 8)) / box.height))), REST);
  });
  for (const name of ["pointerup", "pointercancel"]) grip.addEventListener(name, () => f.send());

  // ---- what is said

  const count = (n, one, peak) => (n === null ? (peak ? "never" : UNKNOWN) : many(n, one));
  function caption(s, step) {
    const more = step ? s.step(s.running + 1).seconds - step.seconds : 0, turn = s.turn, said = [];
    if (step) said.push(`${s.short ? `Of the ${many(s.running, "sequence")} that fit: weights` : "Weights"} ${percent(s.weights, step.moved)}, cache ${percent(step.cache, step.moved)} of what moves; one more sequence adds ${fmtSeconds(more)}.`);
    if (!s.peak) said.push("No source was found for this GPU's peak of arithmetic: that side is left open.");
    else if (s.prefill) said.push(turn.prompt === null ? "No prompt alone is bound by arithmetic here." : `A prompt alone is bound by arithmetic from ${many(turn.prompt, "token")} on, since each weight that is read works for all its tokens.`);
    if (!s.prefill) said.push(`At this length the cache outweighs the weights from ${many(turn.cache, "sequence")} on.`);
    if (!s.prefill && s.peak) said.push(turn.compute === null
      ? "Arithmetic is the limit for no number of sequences: each adds at least as much reading as arithmetic."
      : `Arithmetic is the limit from ${many(turn.compute, "sequence")} on${turn.compute > BigInt(s.most) ? ", more than fit" : ""}.`);
    if (s.made_for !== null && s.context > s.made_for) said.push(`${s.model} was made for ${many(s.made_for, "token")}.`);
    return said.join(" ");
  }

  // The roofline: how reading and arithmetic grow with what a step has to do.
  function chartOf(s) {
    const [, most] = f.get("limits")[s.prefill ? "context" : "batch"];
    const at = Array.from({ length: 33 }, (_, i) => Math.round(most ** (i / 32))).filter((n, i, all) => n !== all[i - 1]);
    const steps = at.map((n) => (s.prefill ? s.step(s.running || 1, n) : s.step(n)));
    const line = (name) => at.map((n, i) => [n, steps[i][name]]);
    const lines = [{ points: line("moving"), color: "cache", name: "moving bytes" }];
    if (s.peak) lines.push({ points: line("compute"), color: "teal", dash: "6 4", name: "arithmetic" });
    const all = lines.flatMap((l) => l.points.map(([, y]) => y)), low = Math.floor(Math.log10(Math.min(...all))), high = Math.ceil(Math.log10(Math.max(...all)));
    const ticks = Array.from({ length: high - low + 1 }, (_, i) => [10 ** (low + i), fmtSeconds(10 ** (low + i))]);
    const here = s.prefill ? s.context : s.running, now = s.step(s.running || 1);
    const marks = s.running ? [[here, now.moving, "cache"], ...(s.peak ? [[here, now.compute, "teal"]] : [])] : [];
    return chart(Math.min(f.width < 620 ? f.width : f.width / 2 - 14, 420), 220, {
      x: { min: 1, max: most, log: true, label: s.prefill ? "tokens in the prompt" : "sequences", ticks: (s.prefill ? [1, 32, 1024, 32768] : [1, 8, 64, 512]).map((n) => [n, group(n)]) },
      y: { min: 10 ** low, max: 10 ** high, log: true, label: "", ticks: ticks.filter((_, i) => ticks.length < 6 || i % 2 === 0) },
      series: lines, marks, alt: `How a step grows, both axes logarithmic: moving bytes ${fmtSeconds(now.moving)} here${s.peak ? `, arithmetic ${fmtSeconds(now.compute)}` : ""}. The longer of the two is the step.` });
  }

  let shown = { seconds: 1, slower: 1 }, before = "", saidBefore = "";
  f.draw(() => {
    const s = setting(), step = s.running ? s.step(s.running) : null, seconds = step ? step.seconds : 1;
    shown = { seconds, slower: 10 ** Math.round(Math.log10(8 / seconds)) };
    const passing = draw(s, step);
    const of = JSON.stringify([f.width, f.get("pinned"), ...KEYS.flatMap((name) => [f.get(name), f.get(`a_${name}`)])]);
    if (of === before) return f.say(`${f.get("elapsed")} %: ${passing}.`);
    before = of;
    const a = f.get("pinned") ? setting("a_") : null, other = a?.running ? a.step(a.running) : null;
    const head = step ? `Step ${fmtSeconds(step.seconds)}: bound by ${{ weights: "the weights", cache: "the cache", arithmetic: "arithmetic" }[step.bound]}` : `Does not fit: ${fmt(s.short)} short`;
    const versus = other && step ? ` A, pinned, took ${fmtSeconds(other.seconds)}: this step takes ${fixed(step.seconds / other.seconds, 2)} times as long.` : "";
    saidBefore = caption(s, step);
    result.show(s.short && step ? `${head}; ${group(s.running)} of ${group(s.batch)} fit` : head, { bad: s.short > 0n, why: saidBefore + versus });
    key.replaceChildren(legend(f, [["weights", "Weights", fmt(s.held)], ["cache", `Cache, ${group(s.batch)} ×`, fmt(s.one)], ["limit", "Usable, 90 %", fmt(s.usable)]]),
      h("p", { class: "kv-small kv-quiet" }, `The line beside the memory is what has moved. Played ${shown.slower >= 1 ? `${group(shown.slower)} times slower` : `${group(Math.round(1 / shown.slower))} times faster`} than it happens. ${s.source ? `Peak of arithmetic: ${s.source}.` : ""}`));
    const rows = (name, at, of_) => (of_ ? [[`${name}weights`, ratio(at.weights, at.bandwidth)], [`${name}cache`, ratio(of_.cache, at.bandwidth)], [`${name}arithmetic`, of_.compute]] : []);
    const bar = [...rows("", s, step), ...rows("A: ", a, other)], longest = Math.max(...bar.map(([, t]) => t ?? 0), 1e-12);
    times.replaceChildren(h("p", { class: "kv-heading" }, "Time of each, on one scale"), bars("Time of each part",
      bar.map(([name, t]) => [name, (t ?? 0) / longest, t === null ? "not known" : fmtSeconds(t), name.endsWith(step ? step.bound : "-") && !name.startsWith("A")])));
    roof.replaceChildren(h("p", { class: "kv-heading" }, "The roofline, in time: the longer of the two is the step"), chartOf(s));
    f.say(`${head}. ${saidBefore}${versus}`);
    const p = (n) => percent(n, step.moved);
    f.table(s.named, ["what", "value"], [
      ["sequences that fit", `${group(s.running)} of ${group(s.batch)}${s.short ? `, short by ${fmt(s.short)}` : ""}`],
      ...(step ? [["weights", `${fmt(s.weights)}, ${p(s.weights)}`], [s.prefill ? "cache written" : "cache read", `${fmt(step.cache)}, ${p(step.cache)}`],
        ["moving them takes", fmtSeconds(step.moving)], ["operations", `${fixed(ratio(step.operations, UNITS.TB), 3)} × 10¹²`],
        ["arithmetic takes", step.compute === null ? UNKNOWN : fmtSeconds(step.compute)], ["the step, at the least", fmtSeconds(step.seconds)], ["bound by", step.bound],
        ["one more sequence adds", fmtSeconds(s.step(s.running + 1).seconds - step.seconds)]] : []),
      ["decode: more cache than weights from", count(s.turn.cache, "sequence", true)],
      ["decode: more arithmetic than reading from", count(s.turn.compute, "sequence", s.peak)],
      ["prefill: more arithmetic than moving from", count(s.turn.prompt, "token", s.peak)],
      ...(a ? [[`A: ${a.named}`, other ? fmtSeconds(other.seconds) : "does not fit"]] : [])]);
  });
}
