// Recompute or reuse: with a cache and without one, a grid of projections, a grid of scores, and how
// their sums grow. A full cell is computed now, a hatched one computed and then masked, a ringed one is in
// the cache, a small one was computed in an earlier step. Scores are never kept, so no earlier ones are drawn.
function render({ model, el }) {
  const f = figure(el, model);
  number(f, "prompt", { label: "Prompt", unit: "tokens" });
  player(f, "step", { label: "Generated", unit: "tokens" });
  const ways = { without: "Without a cache", with: "With a cache" };

  const cell = (size) => ([x, y]) => [x * size + 1, y * size + 1, size - 2, size - 2];
  const dot = (size) => ([x, y]) => [x * size + size / 2 - size / 6, y * size + size / 2 - size / 6, size / 3, size / 3];
  const marks = (size, { now = [], masked = [], cached = [], earlier = [] }) => [
    boxes("kv-earlier", earlier.map(dot(size))),
    boxes("kv-cached", cached.map(cell(size))),
    boxes("kv-now", masked.map(cell(size)), { fill: texture(f, "cache") }),
    boxes("kv-now", now.map(cell(size)), { fill: "var(--kv-keys)" })];
  const grid = (columns, rows, size, cells, alt) =>
    svg("svg", { width: columns * size, height: rows * size, viewBox: `0 0 ${columns * size} ${rows * size}`, role: "img", "aria-label": alt }, marks(size, cells));

  const range = (n) => Array.from({ length: n }, (_, i) => i);
  const cellSize = (T) => Math.max(5, Math.min(20, Math.floor(Math.min(f.width < 560 ? f.width : f.width / 2 - 20, 380) / T)));

  function panel(way, prompt, step, counts) {
    const T = prompt + step - 1;
    const fresh = way === "without" || step === 1;
    const size = cellSize(T);
    const row = (s) => range(prompt + s - 1);
    const computed = (s) => (way === "without" || s === 1 ? row(s) : [prompt + s - 2]);
    const earlier = range(step - 1).flatMap((i) => computed(i + 1).map((x) => [x, i]));
    const cached = fresh ? [] : range(T - 1).map((x) => [x, step - 1]);
    const pairs = fresh ? range(T).flatMap((y) => range(T).map((x) => [x, y])) : range(T).map((x) => [x, T - 1]);
    const n = counts[way];
    return h("div", { class: "kv-way" },
      h("p", { class: "kv-heading" }, ways[way]),
      h("p", { class: "kv-small kv-quiet" }, `Tokens projected to K and V: a row per step, a column per token`),
      grid(T, step, size, { now: computed(step).map((x) => [x, step - 1]), cached, earlier },
        `${ways[way]}, step ${step}: ${n.projections} of ${T} tokens projected to keys and values, ${cached.length} from the cache; ${n.all_projections} projected over all steps.`),
      h("p", {}, h("strong", {}, group(n.projections)), " now, ", h("strong", {}, group(n.all_projections)), " in all"),
      h("p", { class: "kv-small kv-quiet" }, "Attention scores of this step: a row per query, a column per key"),
      grid(T, T, size, { now: pairs.filter(([x, y]) => x <= y), masked: pairs.filter(([x, y]) => x > y) },
        `${ways[way]}: ${many(n.scores, "attention score")} in this step, ${group(n.all_scores)} over all steps.`),
      h("p", {}, h("strong", {}, group(n.scores)), " now, ", h("strong", {}, group(n.all_scores)), " in all"));
  }

  const panels = h("div", { class: "kv-ways" });
  const mark = (name, text) => h("li", {}, svg("svg", { width: 14, height: 14, "aria-hidden": "true", class: "kv-swatch" }, marks(14, { [name]: [[0, 0]] })), text);
  const key = h("ul", { class: "kv-legend" }, mark("now", "computed in this step"), mark("masked", "computed, then masked"),
    mark("cached", "from the cache"), mark("earlier", "computed in an earlier step"));
  const growth = h("div", { class: "kv-ways" });
  f.body.append(panels, key, growth);
  share(f, "recompute");

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
    f.say(`Step ${step}: ${many(counts.without.all_projections, "projection")} so far without a cache, ${counts.with.all_projections} with one; `
      + `${many(counts.without.all_scores, "score")} without, ${counts.with.all_scores} with.`);
    f.table("Projections and scores, one head of one layer, to 1,000 tokens generated",
      ["tokens generated", "projections without", "with", "scores without", "with"],
      [step, 10, 100, 1000].map((n) => {
        const c = recomputeCounts(prompt, n);
        return [group(n), ...["all_projections", "all_scores"].flatMap((what) => [group(c.without[what]), group(c.with[what])])];
      }));
  }, { step: () => {
    // Cells shrink as they grow in number, so the last step is not always the tallest.
    const [least, most] = f.get("limits").step;
    const height = (step) => (2 * step + f.get("prompt") - 1) * cellSize(f.get("prompt") + step - 1);
    const steps = range(most - least + 1).map((i) => least + i);
    return [steps.reduce((best, step) => (height(step) > height(best) ? step : best)), most];
  } }, panels);
}
