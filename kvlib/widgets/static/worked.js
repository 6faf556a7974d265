// The worked example: the product revealed a factor at a time, then the cache against the context.
function render({ model, el }) {
  const f = figure(el, model);
  const dtype = () => f.get("dtypes")[f.get("dtype")];
  const keys = ["n_layers", "n_kv_heads", "head_dim", "context", "batch"];
  const shape = () => ({ ...Object.fromEntries(keys.map((key) => [key, f.get(key)])), dtype: dtype() });

  player(f, "step", { label: "Step", unit: "of 7", pace: 1100 });
  const steps = h("ol", { class: "kv-steps" });
  const settings = h("div", { class: "kv-controls" });
  number(f, "context", { label: "Context", unit: "tokens", at: settings, stops: [512, 1024, 2048, 3072, 4096, 6144, 8192, 16384, 32768, 65536, 131072] });
  number(f, "batch", { label: "Batch", unit: "sequences", at: settings, stops: [1, 2, 4, 8, 16, 32, 64, 128, 256] });
  choice(f, "dtype", { label: "Precision", at: settings });
  const chart = h("div");
  f.body.append(steps, h("p", { class: "kv-heading" }, "The cache against the context"), settings, chart);
  share(f, "worked");

  // Each step: the factor, what it is, what the product so far counts: numbers, then bytes.
  function product() {
    const { n_layers, n_kv_heads, head_dim, context, batch } = shape();
    const { numbers, layer, token, sequence, all } = formula(shape());
    const wide = trimmed(fixed(dtype().bytes / dtype().values, 4));
    return [
      [group(head_dim), "numbers in one key of one head", many(head_dim, "number")],
      [group(n_kv_heads), "heads that keep keys", `${many(numbers, "number")}: one token's keys in a layer`],
      ["2", "keys, and values", `${many(2n * numbers, "number")}: one token in a layer`],
      [wide, `bytes per number in ${f.get("dtype")}`, `${many(layer, "byte")}: one token in a layer`],
      [group(n_layers), "layers", `${many(token, "byte")} = ${fmt(token)}: one token`],
      [group(context), "tokens of context", `${many(sequence, "byte")} = ${fmt(sequence)}: one sequence`],
      [group(batch), batch > 1 ? "sequences" : "sequence", `${many(all, "byte")} = ${fmt(all)} = ${fmt(all, "GB")}`],
    ];
  }

  f.draw(() => {
    const lines = product(), shown = f.get("step");
    steps.replaceChildren(...lines.slice(0, shown).map(([factor, what, so], i) =>
      h("li", i === shown - 1 ? { class: "kv-latest" } : {},
        h("span", { class: "kv-factor-term" }, `${i ? "× " : ""}${factor}`), " ",
        h("span", { class: "kv-quiet kv-small" }, what), " ",
        h("span", { class: "kv-so-far" }, so))));

    const { context } = shape();
    const contexts = [...new Set([...f.get("chart"), context])].sort((a, b) => a - b);
    const sizes = contexts.map((n) => kvBytes({ ...shape(), context: n }));
    chart.replaceChildren(bars("The cache against the context", contexts.map((n, i) =>
      [many(n, "token"), ratio(sizes[i], sizes.at(-1)), fmt(sizes[i]) + (n === context ? ", chosen" : ""), n === context])));

    f.say(`Step ${shown}: ${lines[shown - 1][2]}. The cache at ${many(context, "token")}: ${fmt(kvBytes(shape()))}.`);
    f.table("The cache against the context", ["context, tokens", "bytes", "read as"],
      contexts.map((n, i) => [group(n), group(sizes[i]), fmt(sizes[i])]));
  }, { step: () => [7] }, steps);
}
