// The worked example: the product revealed a factor at a time, then the cache against the context.
function render({ model, el }) {
  const f = figure(el, model, { lead: "Start from one key of one head, and multiply until it is the whole cache." });
  const dtype = () => f.get("dtypes")[f.get("dtype")];
  const keys = ["n_layers", "n_kv_heads", "head_dim", "context", "batch"];
  const shape = () => ({ ...Object.fromEntries(keys.map((key) => [key, f.get(key)])), dtype: dtype() });

  stepper(f, "step", { label: "Step", unit: "of 7", pace: 1100 });
  const steps = h("ol", { class: "kv-steps" });
  const settings = h("div", { class: "kv-controls" });
  number(f, "context", { label: "Context", unit: "tokens", at: settings, stops: [512, 1024, 2048, 3072, 4096, 6144, 8192, 16384, 32768, 65536, 131072] });
  number(f, "batch", { label: "Batch", unit: "sequences", at: settings, stops: [1, 2, 4, 8, 16, 32, 64, 128, 256] });
  choice(f, "dtype", { label: "Precision", at: settings });
  const bars = h("div", { class: "kv-bars" });
  f.body.append(steps, h("p", { class: "kv-heading" }, "The cache against the context"), settings, bars);

  // Each step: the factor, what it is, what the product so far counts: numbers, then bytes.
  function product() {
    const { n_layers, n_kv_heads, head_dim, context, batch } = shape();
    const { numbers, layer, token, sequence, all } = formula(shape());
    const wide = trimmed(fixed(dtype().bytes / dtype().values, 4));
    return [
      [group(head_dim), "numbers in one key of one head", `${group(head_dim)} numbers`],
      [group(n_kv_heads), "heads that keep keys", `${group(numbers)} numbers: one token's keys in a layer`],
      ["2", "keys, and values", `${group(2n * numbers)} numbers: one token in a layer`],
      [wide, `bytes per number in ${f.get("dtype")}`, `${group(layer)} bytes: one token in a layer`],
      [group(n_layers), "layers", `${group(token)} bytes = ${fmt(token)}: one token`],
      [group(context), "tokens of context", `${group(sequence)} bytes = ${fmt(sequence)}: one sequence`],
      [group(batch), batch > 1 ? "sequences" : "sequence", `${group(all)} bytes = ${fmt(all)} = ${fmt(all, "GB")}`],
    ];
  }

  f.draw(() => {
    const lines = product(), shown = f.get("step");
    steps.replaceChildren(...lines.slice(0, shown).map(([factor, what, so], i) =>
      h("li", i === shown - 1 ? { class: "kv-latest" } : {},
        h("span", { class: "kv-factor-term" }, `${i ? "× " : ""}${factor}`),
        h("span", { class: "kv-quiet kv-small" }, what),
        h("span", { class: "kv-so-far" }, so))));

    const { context } = shape();
    const contexts = [...new Set([...f.get("chart"), context])].sort((a, b) => a - b);
    const sizes = contexts.map((n) => kvBytes({ ...shape(), context: n }));
    const most = sizes.at(-1);
    bars.replaceChildren(...contexts.map((n, i) => h("div", { class: n === context ? "kv-bar kv-chosen" : "kv-bar" },
      h("span", { class: "kv-bar-name" }, `${group(n)}`),
      h("span", { class: "kv-track", "aria-hidden": "true" }, h("span", { class: "kv-fill kv-glide", style: `width: ${100 * ratio(sizes[i], most)}%` })),
      h("span", { class: "kv-bar-value" }, fmt(sizes[i]), n === context ? h("span", { class: "kv-quiet kv-small" }, " chosen") : ""))));

    f.say(`Step ${shown}: ${lines[shown - 1][2]}. The cache at ${group(context)} tokens: ${fmt(kvBytes(shape()))}.`);
    f.table("The cache against the context", ["context, tokens", "bytes", "read as"],
      contexts.map((n, i) => [group(n), group(sizes[i]), fmt(sizes[i])]));
  });
}
