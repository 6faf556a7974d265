// The formula: seven factors, their product, and what doubling one does.
// A factor's bar is its share of the product's doublings: log2 of it out of log2 of all.
function render({ model, el }) {
  const f = figure(el, model);
  const dtype = () => f.get("dtypes")[f.get("dtype")];
  const wide = () => dtype().bytes / dtype().values;
  const counts = f.get("vector_counts");
  const vectors = () => counts[f.get("vectors")];
  const powers = (to) => Array.from({ length: to + 1 }, (_, i) => 2 ** i);

  // name, how to read the factor, its value doubled (undefined: not offered here)
  const next = (key) => () => (f.get(key) * 2 <= f.get("limits")[key][1] ? f.get(key) * 2 : undefined);
  const wider = () => Object.keys(f.get("dtypes")).find((name) => {
    const d = f.get("dtypes")[name];
    return d.bytes / d.values === 2 * wide() && name !== "fp8";
  });
  const factors = [
    { key: "vectors", name: "vectors per token", value: vectors, twice: () => Object.keys(counts).find((name) => counts[name] === 2 * vectors()) },
    { key: "n_layers", name: "layers", value: () => f.get("n_layers"), twice: next("n_layers") },
    { key: "batch", name: "batch", value: () => f.get("batch"), twice: next("batch") },
    { key: "n_kv_heads", name: "KV heads", value: () => f.get("n_kv_heads"), twice: next("n_kv_heads") },
    { key: "context", name: "context", value: () => f.get("context"), twice: next("context") },
    { key: "head_dim", name: "head_dim", value: () => f.get("head_dim"), twice: next("head_dim") },
    { key: "dtype", name: "bytes per number", value: wide, twice: wider },
  ];

  f.controls.className = "kv-factors";
  for (const factor of factors) {
    factor.control = h("div");
    factor.bar = h("div", { class: "kv-fill kv-glide" });
    factor.share = h("span", { class: "kv-small kv-quiet" });
    factor.double = button("× 2", () => {
      f.set(factor.key, factor.twice());
      if (factor.twice() === undefined) f.notice(`${factor.name} can't be doubled again here.`);
    }, { "aria-label": `× 2: ${factor.name}` });
    f.controls.append(h("div", { class: "kv-factor" }, factor.control,
      h("div", { class: "kv-share", "aria-hidden": "true" }, h("div", { class: "kv-track" }, factor.bar), factor.share),
      factor.double));
  }
  const at = (key) => factors.find((factor) => factor.key === key).control;
  choice(f, "vectors", { label: "Kept of each token", at: at("vectors"), names: Object.fromEntries(Object.entries(counts).map(
    ([name, count]) => [name, `${name}: ${count}`])) });
  number(f, "n_layers", { label: "Layers", at: at("n_layers") });
  number(f, "batch", { label: "Batch", unit: "sequences", stops: powers(12), at: at("batch") });
  number(f, "n_kv_heads", { label: "KV heads", stops: powers(8), at: at("n_kv_heads") });
  number(f, "context", { label: "Context", unit: "tokens", stops: powers(24), at: at("context") });
  number(f, "head_dim", { label: "head_dim", unit: "numbers", stops: [32, 64, 80, 96, 128, 192, 256, 512, 576, 1024], at: at("head_dim") });
  choice(f, "dtype", { label: "Precision", at: at("dtype"), names: Object.fromEntries(Object.entries(f.get("dtypes")).map(
    ([name, d]) => [name, `${name}: ${trimmed(fixed(d.bytes / d.values, 4))} ${d.bytes === d.values ? "byte" : "bytes"}`])) });

  const result = verdict(f);
  const product = h("p", { class: "kv-product" });
  const blocks = h("p", { class: "kv-small" });
  const shapes = h("p", { class: "kv-shapes" });
  f.body.append(product, blocks, shapes);
  f.controls.before(f.body);
  share(f, "formula");

  f.draw(() => {
    const { n_layers, batch, n_kv_heads, context, head_dim } = Object.fromEntries(factors.map(({ key }) => [key, f.get(key)]));
    const { numbers, tensor, token, all } = formula({ vectors: vectors(), n_layers, batch, n_kv_heads, context, head_dim, dtype: dtype() });

    const doublings = factors.map((factor) => Math.log2(factor.value()));
    const of_all = doublings.reduce((sum, d) => sum + Math.abs(d), 0) || 1;
    factors.forEach((factor, i) => {
      factor.bar.style.width = `${(100 * Math.abs(doublings[i])) / of_all}%`;
      factor.bar.classList.toggle("kv-minus", doublings[i] < 0);
      factor.share.textContent = `${trimmed(fixed(doublings[i], 1))} ${doublings[i] === 1 ? "doubling" : "doublings"}`;
      factor.double.disabled = factor.twice() === undefined;
    });

    const terms = factors.map((factor) => trimmed(fixed(factor.value(), 4)));
    // A format that stores several numbers together stores whole blocks of them.
    const { values } = dtype(), block = BigInt(values), left = numbers % block;
    product.textContent = `${terms.join(" × ")}${left ? ", in whole blocks:" : " ="}`;
    blocks.textContent = left ? `${f.get("dtype")} stores ${values} numbers together: the ${group(numbers)} of a vector take the room of ` +
      `${group(numbers - left + block)}. So this is more than the product, and doubling a factor may less than double it.` : "";
    result.show(many(all, "byte"), { why: `= ${["KiB", "MiB", "GiB", "GB"].map((unit) => fmt(all, unit)).join(" = ")}` });
    // Thousands without a comma: among commas, "8,192" would read as two axes.
    const shape = `[${[batch, n_kv_heads, context, head_dim].join(", ")}]`;
    shapes.replaceChildren(h("code", {}, vectors() === 2 ? "K, V" : "latent"), ` ${shape} = [B, H_kv, T, D] in each of ${many(n_layers, "layer")}: `,
      `${many(n_layers * vectors(), "tensor")} of ${fmt(tensor)}, or ${fmt(token)} per token.`);
    f.say(`${fmt(all)}, ${many(all, "byte")}.`);
    f.table("The factors and their product", ["factor", "value", "doublings (log2)"], [
      ...factors.map((factor, i) => [factor.name, terms[i], trimmed(fixed(doublings[i], 2))]),
      [left ? "in whole blocks, bytes" : "product, bytes", group(all), trimmed(fixed(Math.log2(Number(all)), 2))]]);
  });
}
