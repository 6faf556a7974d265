// Recompute or reuse: with a cache and without one, a grid of projections, a grid of scores, and how
// their sums grow. A full cell is computed now, a hatched one computed and then masked, an outlined
// one is from the cache or from an earlier step.
function render({ model, el }) {
  const f = figure(el, model, { lead: "Each step makes one token. Watch what must be computed for it, and what the cache already has." });
  number(f, "prompt", { label: "Prompt", unit: "tokens" });
  stepper(f, "step", { label: "Generated", unit: "tokens" });
  const ways = { without: "Without a cache", with: "With a cache" };
  const hatch = newId();

  const cells = (list, size) => list.map(([x, y]) => `M${x * size + 1} ${y * size + 1}h${size - 2}v${size - 2}h${2 - size}z`).join("");

  // `now` and `old` are lists of [column, row].
  function grid(columns, rows, size, { now, old, masked = [] }, alt) {
    return svg("svg", { width: columns * size, height: rows * size, viewBox: `0 0 ${columns * size} ${rows * size}`, role: "img", "aria-label": alt },
      svg("defs", {}, svg("pattern", { id: hatch, width: 4, height: 4, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
        svg("line", { x1: 1, y1: 0, x2: 1, y2: 4, style: "stroke: var(--kv-keys); stroke-width: 1.5" }))),
      svg("path", { d: cells(old, size), class: "kv-old" }),
      svg("path", { d: cells(masked, size), style: `fill: url(#${hatch})` }),
      svg("path", { d: cells(now, size), style: "fill: var(--kv-keys)" }));
  }

  const range = (n) => Array.from({ length: n }, (_, i) => i);

  function panel(way, prompt, step, counts) {
    const T = prompt + step - 1;
    const fresh = way === "without" || step === 1;
    const most = Math.min(f.width < 560 ? f.width : f.width / 2 - 20, 380);
    const size = Math.max(5, Math.min(20, Math.floor(most / T)));
    const row = (s) => range(prompt + s - 1);
    const computed = (s) => (way === "without" || s === 1 ? row(s) : [prompt + s - 2]);
    const old = range(step - 1).flatMap((i) => (way === "without" ? row(i + 1).map((x) => [x, i]) : computed(i + 1).map((x) => [x, i])));
    const reused = fresh ? [] : range(T - 1).map((x) => [x, step - 1]);
    const pairs = fresh ? range(T).flatMap((y) => range(T).map((x) => [x, y])) : range(T).map((x) => [x, T - 1]);
    const n = counts[way];
    return h("div", { class: "kv-way" },
      h("p", { class: "kv-heading" }, ways[way]),
      h("p", { class: "kv-small kv-quiet" }, `Tokens projected to K and V: a row per step, a column per token`),
      grid(T, step, size, { now: computed(step).map((x) => [x, step - 1]), old: [...old, ...reused] },
        `${ways[way]}, step ${step}: ${n.projections} of ${T} tokens projected to keys and values, ${n.all_projections} over all steps.`),
      h("p", {}, h("strong", {}, group(n.projections)), " now, ", h("strong", {}, group(n.all_projections)), " in all"),
      h("p", { class: "kv-small kv-quiet" }, "Attention scores of this step: a row per query, a column per key"),
      grid(T, T, size, { now: pairs.filter(([x, y]) => x <= y), masked: pairs.filter(([x, y]) => x > y),
        old: fresh ? [] : range(T - 1).flatMap((y) => range(y + 1).map((x) => [x, y])) },
        `${ways[way]}: ${n.scores} attention scores in this step, ${group(n.all_scores)} over all steps.`),
      h("p", {}, h("strong", {}, group(n.scores)), " now, ", h("strong", {}, group(n.all_scores)), " in all"));
  }

  const panels = h("div", { class: "kv-ways" });
  const key = h("p", { class: "kv-key kv-small kv-quiet" },
    h("span", { class: "kv-swatch kv-now" }), "computed in this step ",
    h("span", { class: "kv-swatch kv-hatched" }), "computed, then masked ",
    h("span", { class: "kv-swatch kv-outlined" }), "from the cache, or an earlier step");
  const growth = h("div", { class: "kv-ways" });
  f.body.append(panels, key, growth);

  // How the sums grow to 1,000 tokens, both axes logarithmic: the slope is the order.
  function curves(prompt, step, what, name, orders) {
    const lengths = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000];
    const sums = Object.fromEntries(Object.keys(ways).map((way) => [way, lengths.map((n) => [n, recomputeCounts(prompt, n)[way][what]])]));
    const top = 10 ** Math.ceil(Math.log10(sums.without.at(-1)[1]));
    const ticks = range(Math.round(Math.log10(top)) + 1).filter((e) => e % 3 === 0).map((e) => [10 ** e, ["1", "1,000", "10⁶", "10⁹"][e / 3]]);
    const here = recomputeCounts(prompt, step);
    return h("div", { class: "kv-way" }, h("p", { class: "kv-heading" }, name),
      chart(Math.min(f.width < 560 ? f.width : f.width / 2 - 20, 420), 230, {
        x: { min: 1, max: 1000, log: true, label: "tokens generated", ticks: [[1, "1"], [10, "10"], [100, "100"], [1000, "1,000"]] },
        y: { min: 1, max: top, log: true, label: "", ticks },
        series: [
          { points: sums.without, color: "keys", name: `without: ${orders[0]}` },
          { points: sums.with, color: "queries", dash: "6 4", name: `with: ${orders[1]}` }],
        marks: [[step, here.without[what], "keys"], [step, here.with[what], "queries"]],
        alt: `${name} over all steps. At 1,000 tokens ${group(sums.without.at(-1)[1])} without a cache, ${group(sums.with.at(-1)[1])} with one.` }));
  }

  f.draw(() => {
    const prompt = f.get("prompt"), step = f.get("step");
    const counts = recomputeCounts(prompt, step);
    panels.replaceChildren(...Object.keys(ways).map((way) => panel(way, prompt, step, counts)));
    growth.replaceChildren(
      curves(prompt, step, "all_projections", "Projections, all steps", ["L²", "L"]),
      curves(prompt, step, "all_scores", "Scores, all steps", ["L³", "L²"]));
    f.say(`Step ${step}: ${counts.without.all_projections} projections so far without a cache, ${counts.with.all_projections} with one; `
      + `${counts.without.all_scores} scores without, ${counts.with.all_scores} with.`);
    f.table("Projections and scores, one head of one layer, to 1,000 tokens generated",
      ["tokens generated", "projections without", "with", "scores without", "with"],
      [step, 10, 100, 1000].map((n) => {
        const c = recomputeCounts(prompt, n);
        return [group(n), ...["all_projections", "all_scores"].flatMap((what) => [group(c.without[what]), group(c.with[what])])];
      }));
  });
}
