// Layer by layer: a strip for each layer, as high as what it keeps; its kind by hue, hatch and letter.
const LETTERS = { full: "F", sliding: "W", chunked: "C", latent: "L", shared: "R", state: "S", cross: "X", none: "–" };

function render({ model, el }) {
  const f = figure(el, model);
  const words = f.get("words");

  choice(f, "model", { label: "Model" });
  number(f, "context", { label: "Context", unit: "tokens", stops: Array.from({ length: 25 }, (_, i) => 2 ** i) });
  const source = h("div");
  f.controls.append(source);
  number(f, "source_len", { label: "Source", unit: "tokens", at: source, stops: [0, ...Array.from({ length: 21 }, (_, i) => 2 ** i)] });
  choice(f, "dtype", { label: "Precision" });

  const big = h("p", { class: "kv-big" }), said = h("p", {});
  const drawing = h("div", { class: "kv-strips" }), kinds = scroller("Kinds of layers");
  kinds.classList.add("kv-kinds");
  f.body.append(big, said, drawing, kinds, paste(f));
  share(f, "layers");

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

    big.textContent = `${fmt(total)} at ${many(context, "token")}`;
    const more = [
      full > total ? `Without windows it would be ${fmt(full)}.` : "",
      state ? `That includes ${fmt(state)} of fixed state, whatever the context.` : "",
      source.hidden ? "" : `That includes ${fmt(cross)} of cross attention: ` +
        `${fmt(breakdown(groups, context, 1, dtype, 1).cross)} for each token of the other sequence, here ${group(source_len)}.`,
      ends !== null && context > ends ? `This is beyond the ${group(ends)} tokens the model was made for.` : "",
    ].filter(Boolean).join(" ");
    said.textContent = `${of.length} layers: ${parts.map((p, i) => `${count[i]} ${name(p, words)}`).join(", ")}. ${more}`;
    f.say(`${f.get("model")}: ${big.textContent}. ${more}`);

    // One scale up to the longest context that the model was made for, so that a strip's growth is seen.
    const longest = Math.max(context, ends ?? f.get("scaled_to"));
    const most = groups.map((g) => layoutBytes([{ ...g, layers: 1 }], longest, 1, dtype, source_len)).reduce((a, b) => (a > b ? a : b), 0n);
    const highest = heights.reduce((a, b) => (a > b ? a : b), 0n);
    drawing.replaceChildren(drawStrips(f, layers, parts, heights, most, Math.min(f.width, 860),
      `${of.length} layers; the highest strip is ${fmt(highest)}, of ${fmt(most)} at ${group(longest)} tokens.`));
    const grid = table(`What the kinds keep, ${f.get("dtype")}`, ["kind", "layers", "each", "together", "tokens kept", "KV heads × head_dim"],
      parts.map((p, i) => [`${LETTERS[p.kind]}: ${name(p, words)}`, count[i], fmt(heights[i]), fmt(heights[i] * BigInt(count[i])),
        group(tokens[i]), p.k + p.v ? shape(p) : "–"]));
    grid.querySelectorAll("tbody th").forEach((cell, i) => cell.prepend(swatch(f, parts[i].kind)));
    kinds.replaceChildren(grid);
    f.table(`The layers of ${f.get("model")} at ${many(context, "token")}`, ["layer", "kind", "KV heads × head_dim", "tokens kept", "bytes"],
      layers.map((k, i) => [i, parts[k].kind === "shared" ? `reads layer ${shares[i]}'s` : name(parts[k], words),
        parts[k].k + parts[k].v ? shape(parts[k]) : "–", group(tokens[k]), group(heights[k])]));
  });
}

const name = (p, words) => words[p.kind] + (p.window === null ? "" : ` of ${group(p.window)}`);
const shape = (p) => (p.v ? `${p.heads} × ${p.dim}${p.v === p.k ? "" : ` and ${p.v / p.heads}`}` : `one vector of ${p.k}`);

// A strip for each layer over an axis from nothing to `most` bytes.
function drawStrips(f, layers, parts, heights, most, width, alt) {
  const left = 66, room = width - left;
  const rows = Math.ceil(layers.length / Math.max(1, Math.floor(room / 11))), across = Math.ceil(layers.length / rows);
  const step = Math.min(30, room / across), tall = 84, high = tall + 44;
  const strips = parts.map(() => []), axis = [], marks = [];
  const y = (row) => row * high + 12;
  for (let row = 0; row < rows; row++) {
    const inRow = Math.min(across, layers.length - row * across);
    for (const [share, text] of [[0, "0"], [0.5, fmt(most / 2n, null, 1)], [1, fmt(most, null, 1)]]) {
      const at = y(row) + tall * (1 - share);
      axis.push(svg("line", { class: share ? "kv-grid" : "kv-axis", x1: left, x2: left + step * inRow, y1: at, y2: at }),
        svg("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, text));
    }
    marks.push(svg("text", { class: "kv-layer-letter", x: left, y: y(row) + tall + 26 }, `layer ${row * across}`));
  }
  layers.forEach((k, i) => {
    const x = left + (i % across) * step, base = y(Math.floor(i / across)) + tall;
    const bar = most ? tall * ratio(heights[k], most) : 0;
    // Something kept is seen, however little of the scale it takes.
    if (heights[k]) strips[k].push([x + 1, base - Math.max(1, bar), step - 3, Math.max(1, bar)]);
    marks.push(svg("text", { class: "kv-layer-letter", x: x + step / 2 - 0.5, y: base + 12, "text-anchor": "middle" }, LETTERS[parts[k].kind]));
  });
  const drawn = strips.map((all, k) => boxes("kv-layer", all, { fill: texture(f, parts[k].kind), style: `stroke: var(--kv-${parts[k].kind})` }));
  const height = rows * high;
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": alt }, axis, drawn, marks);
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
