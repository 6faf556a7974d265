// Layer by layer: a strip for each layer, as high as what it keeps; its kind by hue, hatch and letter.
const LETTERS = { full: "F", sliding: "W", chunked: "C", latent: "L", shared: "R", state: "S", cross: "X", none: "–" };

function render({ model, el }) {
  const f = figure(el, model, { lead: "What each layer keeps of one sequence. A layer with a window stops growing; a full one never does." });
  const words = f.get("words");
  const hatches = new Map();

  const models = h("select", { id: newId(), onchange: () => { f.notice(""); f.set("model", models.value); } });
  f.controls.append(h("div", { class: "kv-control" }, h("label", { for: models.id }, "Model"), models));
  const offer = () => {
    models.replaceChildren(...Object.keys(f.get("strips")).map((name) => h("option", { value: name }, name)));
    models.value = f.get("model");
  };
  follow(f, "strips", offer);
  follow(f, "model", () => { models.value = f.get("model"); });
  number(f, "context", { label: "Context", unit: "tokens", stops: Array.from({ length: 25 }, (_, i) => 2 ** i) });
  const source = h("div");
  f.controls.append(source);
  number(f, "source_len", { label: "Source", unit: "tokens", at: source, stops: [0, ...Array.from({ length: 21 }, (_, i) => 2 ** i)] });
  choice(f, "dtype", { label: "Precision" });

  const big = h("p", { class: "kv-big" }), said = h("p", {});
  const drawing = h("div", { class: "kv-strips" }), kinds = h("div", { class: "kv-scroll kv-kinds", tabindex: 0, role: "region", "aria-label": "Kinds of layers" });
  const patterns = svg("svg", { width: 0, height: 0, "aria-hidden": "true", style: "position:absolute" });
  f.body.append(patterns, big, said, drawing, kinds, paste(f));

  const fillOf = (kind) => {
    if (!hatches.has(kind)) hatches.set(kind, pattern(patterns, kind));
    return hatches.get(kind);
  };

  f.draw(() => {
    const { kinds: parts, of, shares, ends } = f.get("strips")[f.get("model")];
    const context = f.get("context"), dtype = f.get("dtypes")[f.get("dtype")];
    const layers = [...of].map((letter) => letter.charCodeAt(0) - "0".charCodeAt(0));
    const count = parts.map((_, i) => layers.filter((k) => k === i).length);
    const groups = parts.map((p, i) => ({ ...p, layers: count[i] }));
    const source_len = f.get("source_len");
    const { state, cross, total } = breakdown(groups, context, 1, dtype, source_len);
    const full = layoutBytes(groups.map((g) => ({ ...g, window: null })), context, 1, dtype, source_len);
    const heights = groups.map((g) => layoutBytes([{ ...g, layers: 1 }], context, 1, dtype, source_len));
    const tokens = groups.map((g) => tokensKept(g, context));
    source.hidden = groups.every((g) => g.cross === 0);

    big.textContent = `${fmt(total)} at ${group(context)} tokens`;
    const more = [
      full > total ? `Without windows it would be ${fmt(full)}.` : "",
      state ? `That includes ${fmt(state)} of fixed state, whatever the context.` : "",
      source.hidden ? "" : `That includes ${fmt(cross)} of cross attention: ` +
        `${fmt(breakdown(groups, context, 1, dtype, 1).cross)} for each token of the other sequence, here ${group(source_len)}.`,
      ends !== null && context > ends ? `This is beyond the ${group(ends)} tokens the model was made for.` : "",
    ].filter(Boolean).join(" ");
    said.textContent = `${of.length} layers: ${parts.map((p, i) => `${count[i]} ${name(p, words)}`).join(", ")}. ${more}`;
    f.say(`${f.get("model")}: ${fmt(total)} at ${group(context)} tokens. ${more}`);

    drawing.replaceChildren(drawStrips(layers, parts, heights, Math.min(f.width, 860), fillOf,
      `${of.length} layers, the highest strip is ${fmt(heights.reduce((a, b) => (a > b ? a : b), 0n))}.`));
    const swatch = (p) => svg("svg", { width: 14, height: 14, "aria-hidden": "true" },
      svg("rect", { x: 1, y: 1, width: 12, height: 12, class: "kv-layer", style: hueOf(p.kind), fill: fillOf(p.kind) }));
    const grid = table(`What the kinds keep, ${f.get("dtype")}`, ["kind", "layers", "each", "together", "tokens kept", "KV heads × head_dim"],
      parts.map((p, i) => [`${LETTERS[p.kind]}: ${name(p, words)}`, count[i], fmt(heights[i]), fmt(heights[i] * BigInt(count[i])),
        group(tokens[i]), p.k + p.v ? shape(p) : "–"]));
    grid.querySelectorAll("tbody th").forEach((cell, i) => cell.prepend(swatch(parts[i])));
    kinds.replaceChildren(grid);
    f.table(`The layers of ${f.get("model")} at ${group(context)} tokens`, ["layer", "kind", "KV heads × head_dim", "tokens kept", "bytes"],
      layers.map((k, i) => [i, parts[k].kind === "shared" ? `reads layer ${shares[i]}'s` : name(parts[k], words),
        parts[k].k + parts[k].v ? shape(parts[k]) : "–", group(tokens[k]), group(heights[k])]));
  });
}

const hueOf = (kind) => `--hue: var(--kv-${kind === "none" ? "quiet" : kind})`;
const name = (p, words) => words[p.kind] + (p.window === null ? "" : ` of ${group(p.window)}`);
const shape = (p) => (p.v ? `${p.heads} × ${p.dim}${p.v === p.k ? "" : ` and ${p.v / p.heads}`}` : `one vector of ${p.k}`);

// A kind's fill: solid, hatched or hollow, so that kinds differ without their hues.
function pattern(at, kind) {
  const lines = { sliding: "M0 6L6 0", chunked: "M0 6L6 0M0 0L6 6", latent: "M3 1v3", state: "M0 3H6", cross: "M3 0V6" }[kind];
  if (!lines) return kind === "shared" || kind === "none" ? "var(--kv-paper)" : "var(--hue)";
  const id = newId();
  const stroke = `stroke: var(--kv-${kind}); stroke-width: 2`;
  at.append(svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
    svg("rect", { width: 6, height: 6, style: "fill: var(--kv-paper)" }), svg("path", { d: lines, style: stroke })));
  return `url(#${id})`;
}

function drawStrips(layers, parts, heights, width, fillOf, alt) {
  const rows = Math.ceil(layers.length / Math.max(1, Math.floor(width / 11))), across = Math.ceil(layers.length / rows);
  const step = Math.min(30, width / across), tall = 64, high = tall + 34;
  const most = Number(heights.reduce((a, b) => (a > b ? a : b), 1n));
  // One path per kind and one for the base: fewer nodes redraw faster.
  const bars = parts.map(() => ""), marks = [];
  let base = "";
  layers.forEach((k, i) => {
    const x = (i % across) * step, y = Math.floor(i / across) * high, bar = (tall * Number(heights[k])) / most;
    if (heights[k]) bars[k] += `M${(x + 1).toFixed(1)} ${y + tall}v${-bar.toFixed(2)}h${(step - 3).toFixed(1)}v${bar.toFixed(2)}z`;
    base += `M${x.toFixed(1)} ${y + tall}h${(step - 1).toFixed(1)}`;
    marks.push(svg("text", { class: "kv-layer-letter", x: x + step / 2 - 0.5, y: y + tall + 11, "text-anchor": "middle" }, LETTERS[parts[k].kind]));
    if (i % across === 0) marks.push(svg("text", { class: "kv-layer-letter", x, y: y + tall + 24 }, `layer ${i}`));
  });
  const drawn = [svg("path", { class: "kv-layer-base", d: base }), bars.map((d, k) =>
    svg("path", { class: "kv-layer", style: hueOf(parts[k].kind), fill: fillOf(parts[k].kind), d })), marks];
  const height = rows * high;
  return svg("svg", { width: step * across, height, viewBox: `0 0 ${step * across} ${height}`, role: "img", "aria-label": alt }, drawn);
}

// With a kernel, any config.json can be pasted: kvlib reads it, or says why it will not.
function paste(f) {
  if (!f.live) {
    return h("p", { class: "kv-small kv-quiet" }, "In a notebook that runs (JupyterLab, Colab), any model's config.json can be pasted here.");
  }
  const area = h("textarea", { id: newId(), spellcheck: "false" });
  const refusal = h("p", { class: "kv-notice", role: "status" });
  follow(f, "refusal", () => { refusal.textContent = f.get("refusal"); });
  return h("div", { class: "kv-paste" }, h("label", { for: area.id }, "Any model's config.json"), area,
    button("Read it", () => f.set("pasted", area.value)), refusal);
}
