// The budget: one bar of a GPU's memory, what fits in it, and how fast a decode step can be.
function render({ model, el }) {
  const f = figure(el, model);
  const powers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
  const bits = (name) => `${trimmed(fixed((8 * f.get("dtypes")[name].bytes) / f.get("dtypes")[name].values, 1))} bits`;
  const precisions = Object.fromEntries(Object.keys(f.get("dtypes")).map((name) => [name, `${name}: ${bits(name)}`]));

  choice(f, "model", { label: "Model" });
  choice(f, "gpu", { label: "GPU", names: Object.fromEntries(
    Object.entries(f.get("gpu_facts")).map(([name, [memory]]) => [name, `${name}: ${fmt(memory, "GiB")}`])) });
  choice(f, "weights", { label: "Weights' precision", names: precisions });
  choice(f, "dtype", { label: "Cache's precision", names: precisions });
  number(f, "gpus", { label: "GPUs", stops: powers(0, 6) });
  number(f, "context", { label: "Context", unit: "tokens", stops: powers(9, 24) });
  number(f, "batch", { label: "Batch", unit: "sequences", stops: powers(0, 12) });
  // Only for a model that attends to a source sequence too: an encoder's output, a picture.
  const source = h("div", { style: "display: contents" });
  f.controls.append(source);
  number(f, "source_len", { label: "Source", unit: "tokens", stops: [0, ...powers(6, 16)], at: source });
  const sourceControl = source.firstChild;
  number(f, "overhead_mib", { label: "Overhead, all GPUs together", unit: "MiB", stops: [0, ...powers(8, 16)] });
  number(f, "utilization", { label: "Usable share", unit: "%" });

  const result = verdict(f);
  const bar = stack(f, ["weights", "cache", "overhead", "free"]);
  result.el.append(bar.el);
  const key = h("div");
  const facts = h("dl", { class: "kv-facts" });
  f.body.append(key, facts);
  f.controls.before(f.body);
  share(f, "budget");

  f.draw(() => {
    const { kept, read = kept, total, weights_read, made_for, cross } = f.get("models")[f.get("model")];
    if (Boolean(cross) !== source.hasChildNodes()) source.replaceChildren(...(cross ? [sourceControl] : []));
    const [memory, bandwidth] = f.get("gpu_facts")[f.get("gpu")];
    const [gpus, context, batch] = ["gpus", "context", "batch"].map(f.get);
    const kind = f.get("dtypes")[f.get("weights")];
    const all = BigInt(memory) * BigInt(gpus);
    const usable = (BigInt(f.get("utilization")) * all) / 100n;
    const weights = nbytes(total, kind), overhead = BigInt(f.get("overhead_mib")) * UNITS.MiB;
    const b = budget({ kept, read, dtype: f.get("dtypes")[f.get("dtype")], context, batch, source: cross ? f.get("source_len") : 0,
      usable, weights, weights_read: nbytes(weights_read, kind), overhead, bandwidth: BigInt(bandwidth) * BigInt(gpus) });

    const needed = weights + b.cache + overhead;
    const free = needed < usable ? usable - needed : 0n;
    const said = b.short ? `Does not fit: ${fmt(b.short)} short` : `Fits, with ${fmt(free)} to spare`;
    const beyond = made_for !== null && context > made_for;
    result.show(said, { bad: b.short > 0n, why: `${fmt(needed)} needed, ${fmt(usable)} usable: ${f.get("utilization")} % of ${gpus} × ${fmt(memory)}.`
      + (beyond ? ` ${f.get("model")} was made for ${many(made_for, "token")} of context: beyond that the figures hold, the model may not.` : "")
      + (weights_read < total ? ` A decode step reads at least ${fmt(nbytes(weights_read, kind))} of the weights.` : "") });

    // The bar is as long as the memory, or as what is needed where that is more.
    const parts = [["weights", weights], ["cache", b.cache], ["overhead", overhead], ["free", free]];
    const names = { weights: "Weights", cache: "Cache", overhead: "Overhead", free: "Free" };
    bar.show(parts, needed > all ? needed : all, { limit: usable,
      alt: `${said}. ${parts.map(([role, bytes]) => `${names[role]} ${fmt(bytes)}`).join(", ")}.` });
    key.replaceChildren(legend(f, [
      ...parts.map(([role, bytes]) => [role, names[role], fmt(bytes), `${fixed(100 * ratio(bytes, all), 1)} %`]),
      ["limit", "Usable", fmt(usable)]]));

    const end = (n, one) => (n === null ? "no end" : many(n, one));
    const ends = made_for !== null && (b.longest === null || b.longest > made_for);
    const lines = [
      [`Most sequences of ${group(context)} tokens`, end(b.sequences, "sequence")],
      [`Longest context for ${many(batch, "sequence")}`, ends ? many(made_for, "token") : end(b.longest, "token"),
        ends ? `where the model ends; memory for ${b.longest === null ? "any" : group(b.longest)}` : ""],
      ["A decode step takes at least", b.short ? "does not fit" : fmtSeconds(b.floor)],
      ["Tokens a second, at most", b.short ? "does not fit" : fixed(b.rate, 0)],
    ];
    facts.replaceChildren(...lines.map(([name, value, note]) => h("div", {}, h("dt", {}, name), h("dd", {}, value),
      note ? h("dd", { class: "kv-quiet kv-small" }, note) : null)));
    f.say(`${said}. ${lines[0][0]}: ${lines[0][1]}. ${lines[3][0]}: ${lines[3][1]}.`);
    f.table(`${f.get("model")} on ${gpus} × ${f.get("gpu")}`, ["what", "value", "bytes"], [
      ...parts.map(([role, bytes]) => [names[role], fmt(bytes), group(bytes)]),
      ["Short by", fmt(b.short), group(b.short)],
      ...lines.map(([name, value, note]) => [name, note ? `${value}, ${note}` : value, ""])]);
  });
}
