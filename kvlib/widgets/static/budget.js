// The budget: one bar of a GPU's memory, what fits in it, and how fast a decode step can be.
function render({ model, el }) {
  const f = figure(el, model, { lead: "Weights, cache and overhead share the GPU's memory. Choose a setting and see what is left." });
  const powers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i));
  const bits = (name) => `${trimmed(fixed((8 * f.get("dtypes")[name].bytes) / f.get("dtypes")[name].values, 1))} bits`;
  const precisions = Object.fromEntries(Object.keys(f.get("dtypes")).map((name) => [name, `${name}: ${bits(name)}`]));

  choice(f, "model", { label: "Model" });
  choice(f, "gpu", { label: "GPU", names: Object.fromEntries(
    Object.entries(f.get("gpu_facts")).map(([name, [memory]]) => [name, `${name}: ${fmt(memory, "GiB", 0)}`])) });
  choice(f, "weights", { label: "Weights' precision", names: precisions });
  choice(f, "dtype", { label: "Cache's precision", names: precisions });
  number(f, "gpus", { label: "GPUs", stops: powers(0, 6) });
  number(f, "context", { label: "Context", unit: "tokens", stops: powers(9, 24) });
  number(f, "batch", { label: "Concurrency", unit: "sequences", stops: powers(0, 12) });
  // Only for a model that attends to a source sequence too: an encoder's output, a picture.
  const source = h("div", { style: "display: contents" });
  f.controls.append(source);
  number(f, "source_len", { label: "Source", unit: "tokens", stops: [0, ...powers(6, 16)], at: source });
  const sourceControl = source.firstChild;
  number(f, "overhead_mib", { label: "Overhead", unit: "MiB", stops: [0, ...powers(8, 16)] });
  number(f, "utilization", { label: "Usable share", unit: "%" });

  const verdict = h("p", { class: "kv-big" });
  const why = h("p", { class: "kv-quiet" });
  const bar = h("div", { class: "kv-memory", role: "img" });
  const legend = h("ul", { class: "kv-legend" });
  const facts = h("dl", { class: "kv-facts" });
  f.body.append(verdict, why, bar, legend, facts);
  f.controls.before(f.body); // the verdict stays in sight while the setting changes
  share(f, "budget", ["model", "gpu", "gpus", "weights", "dtype", "context", "batch", "source_len", "overhead_mib", "utilization"]);

  const plural = (n, one) => `${group(n)} ${one}${BigInt(n) === 1n ? "" : "s"}`;

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
    verdict.textContent = b.short ? `Does not fit: ${fmt(b.short)} short` : `Fits, with ${fmt(free)} to spare`;
    el.classList.toggle("kv-over", b.short > 0n);
    why.textContent = `${fmt(needed)} needed, ${fmt(usable)} usable: ${f.get("utilization")} % of ${gpus} × ${fmt(memory)}.`
      + (made_for !== null && context > made_for ? ` ${f.get("model")} was made for ${plural(made_for, "token")} of context: beyond that the figures hold, the model may not.` : "")
      + (weights_read < total ? ` A decode step reads at least ${fmt(nbytes(weights_read, kind))} of the weights.` : "");

    // The bar is as long as the memory, or as what is needed where that is more.
    const whole = needed > all ? needed : all;
    const parts = [["weights", "Weights", weights], ["cache", "Cache", b.cache], ["overhead", "Overhead", overhead],
      ["free", "Free", free], ["beyond", "Not usable", all - (needed > usable ? (needed < all ? needed : all) : usable)]];
    const percent = (bytes) => 100 * ratio(bytes, whole);
    bar.replaceChildren(
      ...parts.map(([name, , bytes]) => h("span", { class: `kv-part kv-${name} kv-glide`, style: `width: ${percent(bytes)}%` })),
      h("span", { class: "kv-limit", style: `left: ${percent(usable)}%` }));
    bar.setAttribute("aria-label", `${verdict.textContent}. ${parts.map(([, name, bytes]) => `${name} ${fmt(bytes)}`).join(", ")}.`);
    legend.replaceChildren(...parts.slice(0, 4).map(([name, text, bytes]) => h("li", {},
      h("span", { class: `kv-swatch kv-${name}` }), `${text} `, h("strong", {}, fmt(bytes)),
      h("span", { class: "kv-quiet kv-small" }, ` ${fixed(100 * ratio(bytes, all), 1)} %`))),
      h("li", {}, h("span", { class: "kv-swatch kv-line-up" }), "Usable ", h("strong", {}, fmt(usable))));

    const end = (n, one) => (n === null ? "no end" : plural(n, one));
    const lines = [
      [`Most sequences of ${group(context)} tokens`, end(b.sequences, "sequence")],
      [`Longest context for ${plural(batch, "sequence")}`, end(b.longest, "token")],
      ["A decode step takes at least", fmtSeconds(b.floor)],
      ["Tokens a second, at most", `${fixed(b.rate, 0)}`],
    ];
    facts.replaceChildren(...lines.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    f.say(`${verdict.textContent}. ${lines[0][0]}: ${lines[0][1]}. ${lines[3][0]}: ${lines[3][1]}.`);
    f.table(`${f.get("model")} on ${gpus} × ${f.get("gpu")}`, ["what", "value", "bytes"], [
      ...parts.slice(0, 4).map(([, name, bytes]) => [name, fmt(bytes), group(bytes)]),
      ["Short by", fmt(b.short), group(b.short)], ...lines.map(([name, value]) => [name, value, ""])]);
  });

  if (f.share) {
    el.querySelector(".kv-data").before(h("div", { class: "kv-buttons" }, button("Copy a link to this setting", async () => {
      f.share();
      try {
        await navigator.clipboard.writeText(location.href);
        f.notice("Copied.");
      } catch {
        f.notice("The address bar now holds this setting: copy it from there.");
      }
    })));
  }
}
