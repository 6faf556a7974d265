// The formula, a factor a step. Up to one token the picture is a box: across the numbers of a head, down the heads,
// back the layers; from there on it is a field of tiles, one for each token or sequence. What the step before had is
// solid. All is to one scale in bytes, and the camera steps back as the box grows.
function render({ model, el }) {
  const f = figure(el, model);
  const FACTORS = ["dtype", "head_dim", "vectors", "n_kv_heads", "n_layers", "context", "batch"];
  const setting = () => ({ ...Object.fromEntries(FACTORS.map((key) => [key, f.get(key)])), kept: f.get("vectors"), named: f.get("dtype"),
    vectors: f.get("vector_counts")[f.get("vectors")], dtype: f.get("dtypes")[f.get("dtype")] });
  const opened = setting();
  const powers = (to) => Array.from({ length: to + 1 }, (_, i) => 2 ** i);

  const number_ = (n) => (typeof n === "bigint" ? group(n) : trimmed(fixed(n, 4)));
  const whole = (n) => typeof n === "bigint" || Number.isInteger(n);
  // With "=" where three decimals say it exactly.
  const read = (n, unit) => ` ${(n * 1000n) % UNITS[unit] ? "≈" : "="} ${fmt(n, unit)}`;
  const readAs = (n) => (whole(n) && n >= 1024 ? read(BigInt(n), fmt(n).split(" ")[1]) : "");
  const DECIMAL = { KiB: "kB", MiB: "MB", GiB: "GB", TiB: "TB" };
  const inUnits = (n) => (n < 1024n ? "" : `${readAs(n)}${read(n, DECIMAL[fmt(n).split(" ")[1]])}`.trim());
  const inBytes = (n) => `${number_(n)} ${Number(n) === 1 ? "byte" : "bytes"}${readAs(n)}`;
  const wide = (name) => { const d = f.get("dtypes")[name]; return d.bytes / d.values; };

  // ---- the controls: a row a factor, with what the product is by then

  const next = (key) => () => (f.get(key) * 2 <= f.get("limits")[key][1] ? f.get(key) * 2 : undefined);
  const twice = { ...Object.fromEntries(["head_dim", "n_kv_heads", "n_layers", "context", "batch"].map((key) => [key, next(key)])),
    vectors: () => Object.keys(f.get("vector_counts")).find((name) => f.get("vector_counts")[name] === 2 * setting().vectors),
    dtype: () => Object.keys(f.get("dtypes")).find((name) => wide(name) === 2 * wide(f.get("dtype")) && name !== "fp8") };
  const names = { dtype: "bytes per number", head_dim: "head_dim", vectors: "vectors per token", n_kv_heads: "KV heads", n_layers: "layers", context: "context", batch: "batch" };
  const rows = FACTORS.map((key, i) => {
    const control = h("div"), soFar = h("div", { class: "kv-solid-sofar" });
    const double = button("× 2", () => { f.notice(""); f.set(key, twice[key]()); reach(); }, { "aria-label": `× 2: ${names[key]}` });
    const reach = () => { if (f.get("step") < i + 1) f.set("step", i + 1, REST); };
    // A factor that the reader changes is a factor to be seen.
    const row = h("li", { class: "kv-solid-factor", oninput: reach }, control, double, soFar);
    return { key, control, double, soFar, row };
  });
  const at = (key) => rows.find((row) => row.key === key).control;
  player(f, "step", { label: "Step", unit: "of 7", pace: 1800 });
  choice(f, "dtype", { label: "Precision", at: at("dtype"), names: Object.fromEntries(Object.keys(f.get("dtypes")).map(
    (name) => [name, `${name}: ${number_(wide(name))} ${wide(name) === 1 ? "byte" : "bytes"}`])) });
  number(f, "head_dim", { label: "head_dim", unit: "numbers", stops: [32, 64, 80, 96, 128, 192, 256, 512, 576, 1024], at: at("head_dim") });
  choice(f, "vectors", { label: "Kept of each token", at: at("vectors"), names: Object.fromEntries(Object.entries(f.get("vector_counts")).map(
    ([name, count]) => [name, `${name}: ${count}`])) });
  number(f, "n_kv_heads", { label: "KV heads", stops: powers(8), at: at("n_kv_heads") });
  number(f, "n_layers", { label: "Layers", at: at("n_layers") });
  number(f, "context", { label: "Context", unit: "tokens", stops: powers(24), at: at("context") });
  number(f, "batch", { label: "Batch", unit: "sequences", stops: powers(12), at: at("batch") });

  const result = verdict(f);
  const picture = svg("svg", { class: "kv-solid", role: "img" });
  // All seven captions lie on each other, so that the page keeps still while the figure plays.
  const captions = FACTORS.map(() => h("div", { class: "kv-solid-caption" }));
  const sum = h("p", { class: "kv-solid-sum" }), doubling = h("p", { class: "kv-small" }), shapes = h("div");
  f.body.append(h("div", { class: "kv-solid-captions" }, captions),
    h("div", {}, picture, h("ol", { class: "kv-solid-factors" }, rows.map(({ row }) => row))), sum, doubling, shapes);
  share(f, "formula");

  // ---- the picture

  const LEFT = 58, DASHED = { class: "kv-solid-dashed" };
  const high = () => (f.width < 480 ? 200 : 230);
  const dashed = (before) => (before ? " Dashed: as this figure opened." : "");
  const lines = (d) => svg("path", { class: "kv-solid-lines", d: d.join("") });
  const point = (n) => n.toFixed(1);

  // A box at x, y: its front, its top and its side.
  function solid(x, y, w, t, back) {
    const [dx, dy] = back.map((n) => Number(point(n)));
    return `M${point(x)} ${point(y)}h${point(w)}v${point(t)}h${point(-w)}zl${dx} ${-dy}h${point(w)}l${-dx} ${dy}m${dx} ${-dy}v${point(t)}l${-dx} ${dy}`;
  }
  const look = (role) => ({ pale: { class: "kv-solid-face", style: `fill: color-mix(in srgb, var(--kv-${role}) 24%, var(--kv-paper))` },
    piece: { style: `fill: var(--kv-${role})` }, edge: { class: "kv-solid-edge", style: `stroke: var(--kv-${role})` } });

  // Steps 1 to 5: { nodes, says, x, y, whole, piece }, the last two the widths that the camera goes by.
  function box(s, step, before) {
    const e = boxEdges(s, step), old = before && boxEdges(before, step), width = f.width - LEFT - 4, tall = high() - 30;
    const scale = boxScale(old ? [e, old] : [e], width, tall), up = 2 * scale;
    const px = (n) => Math.max(3, n), w = px(scale * e.wide), t = px(up * e.rows), deep = px(up * e.deep * BACK[0]);
    const back = [deep, (deep * BACK[1]) / BACK[0]], gap = e.plates > 1 ? Math.max(6, 17 - t) : 0, all = e.plates * t + (e.plates - 1) * gap;
    const x = LEFT, y = 10 + (step < 4 ? (tall - all + back[1]) / 2 : Math.max(0, tall - up * (old ? Math.max(old.plates * old.rows, e.plates * e.rows) : e.plates * e.rows) + back[1]) / 2) ;
    const thick = w > scale * e.wide || t > up * e.rows || (step === 5 && deep > up * e.deep * BACK[0]);
    const [cell, row, layer] = [boxEvery(scale * e.number), boxEvery(up), boxEvery(up * BACK[1])], nodes = [], block = s.dtype.values;
    // The lower plate first: the upper one stands before its top.
    for (let plate = e.plates - 1; plate >= 0; plate -= 1) {
      const role = s.vectors === 1 ? "latent" : plate ? "values" : "keys", { pale, piece, edge } = look(role), top = y + plate * (t + gap), d = [];
      const outline = solid(x, top, w, t, back), [dx, dy] = back;
      nodes.push(svg("path", { ...pale, d: `M${point(x)} ${point(top + t)}v${point(-t)}l${point(dx)} ${point(-dy)}h${point(w)}v${point(t)}l${point(-dx)} ${point(dy)}z` }));
      const done = step === 1 || step === 5 ? [w, t] : step === 2 ? [scale * e.number, t] : step === 3 ? [plate ? 0 : w, t] : [w, px(up)];
      if (step === 1) for (let i = 1; i < e.number; i += 1) d.push(`M${point(x + i * scale)} ${point(top)}v${point(t)}`);
      if (step > 1) for (let i = cell; i < s.head_dim; i += cell) d.push(`M${point(x + i * scale * e.number)} ${point(top)}v${point(t)}`);
      for (let i = row; i < e.rows; i += row) d.push(`M${point(x)} ${point(top + i * up)}h${point(w)}`);
      for (let i = layer; i < e.deep; i += layer) {
        d.push(`M${point(x + i * up * BACK[0])} ${point(top - i * up * BACK[1])}h${point(w)}v${point(t)}`);
      }
      // Lines over a piece as thin as they are would hide it.
      const part = boxes("kv-solid-piece", [[x, top, ...done]], piece), thin = (step === 2 || step === 4) && Math.min(...done) < 8;
      nodes.push(...(thin ? [lines(d), part] : [part, lines(d)]), svg("path", { ...edge, d: outline }));
      // Where a block of the dtype ends; a head may end within one.
      if (step > 1 && block > 2 && block * e.number * scale >= 5 && up >= 3) {
        const ends = [];
        for (let i = block; i < s.head_dim * e.rows; i += block) ends.push(`M${point(x + (i % s.head_dim || s.head_dim) * e.number * scale)} ${point(top + up * (Math.ceil(i / s.head_dim) - 1))}v${point(up)}`);
        nodes.push(...["kv-solid-halo", "kv-solid-ends"].map((kind) => svg("path", { class: kind, d: ends.join("") })));
      }
      if (e.padded) nodes.push(svg("path", { ...DASHED, d: solid(x + w, top + t - px(up), px(scale * e.padded), px(up), back) }));
      nodes.push(svg("text", { x: LEFT - 8, y: top + t / 2 + 5, "text-anchor": "end" }, step < 4 ? role.replace(/s$/, "") : role));
    }
    if (old) {
      const [ow, ot, od] = [scale * old.wide, up * old.rows * old.plates + gap * (old.plates - 1), up * old.deep * BACK[0]];
      nodes.push(svg("path", { ...DASHED, d: solid(x, y, ow, ot, [od, (od * BACK[1]) / BACK[0]]) }));
    }
    const every = [[cell, e.number * scale * s.head_dim > 6 && step > 1, "numbers"], [row, step > 3 && e.rows > 1, "heads"], [layer, step === 5 && e.deep > 1, "layers"]]
      .filter(([n, shown]) => n > 1 && shown).map(([n, , what]) => `${group(n)} ${what}`);
    const across = step === 1 ? "Its width is its bytes, and all that follows keeps to that scale." : `Across, ${many(s.head_dim, "number")}${step > 3 ? `; down, ${many(e.rows, "head")}` : ""}${step > 4 ? `; back, ${many(e.deep, "layer")}` : ""}.`;
    return { nodes, x, y, whole: w, piece: step === 2 ? e.number * scale : w,
      says: `${across}${every.length ? ` A line every ${every.join(", ")}.` : ""}${thick ? " An edge too thin to be seen is drawn thicker than it is." : ""}` };
  }

  // Steps 6 and 7: a tile for each token, or for each sequence.
  function field(s, step, n, before) {
    const width = f.width - 2, tall = high() - 4, one = step === 6 ? "token" : "sequence";
    const { together, columns, high: t, wide: w } = boxTiles(Math.max(n, before ?? 0), width, tall, step === 6 ? 1 : width / tall);
    const x = 1, y = 2, [lower, full] = [(m) => Math.floor(m / together / columns), n / together];
    const outline = (m) => {
      const down = lower(m), rest = (m / together - down * columns) * w;
      return down ? `M${x} ${y}h${point(columns * w)}v${point(down * t)}${rest ? `h${point(rest - columns * w)}v${point(t)}h${point(-rest)}` : `h${point(-columns * w)}`}z` : `M${x} ${y}h${point(rest)}v${point(t)}h${point(-rest)}z`;
    };
    const d = [], down = lower(n), rest = full - down * columns;
    for (let i = 1; i < Math.min(columns, Math.ceil(full)); i += 1) d.push(`M${point(x + i * w)} ${y}v${point(t * (down + (i < rest ? 1 : 0)))}`);
    for (let i = 1; i * columns < full; i += 1) d.push(`M${x} ${point(y + i * t)}h${point(w * Math.min(columns, full - i * columns))}`);
    const { pale, piece, edge } = look("cache");
    const nodes = [svg("path", { ...pale, d: outline(n) }), lines(d), boxes("kv-solid-piece", [[x, y, w * Math.min(1, full), t]], piece), svg("path", { ...edge, d: outline(n) })];
    if (before) nodes.push(svg("path", { ...DASHED, d: outline(before) }));
    const tiles = Math.ceil(full);
    return { nodes, x, y, whole: w * Math.min(columns, full), piece: w,
      says: `${together > 1 ? `Each tile is ${group(together)} ${one}s${n % together ? ", the last one fewer" : ""}` : `Each tile is one ${one}`}${tiles > columns ? `; ${group(columns)} to a line` : ""}.` };
  }

  let seen = null;
  function draw(s, p) {
    const step = f.get("step"), o = boxProducts(opened);
    // What the figure opened with is drawn where it differs and does not dwarf the rest.
    const size = Number(p.sizes[step - 1]), was = Number(o.sizes[step - 1]), tile = Number(p.sizes[step - 2] ?? 1);
    const changed = JSON.stringify(boxEdges(s, 5)) !== JSON.stringify(boxEdges(opened, 5)) || (step > 5 && was !== size);
    const before = changed && was <= 16 * size && JSON.stringify(boxEdges(s, step)) + size !== JSON.stringify(boxEdges(opened, step)) + was;
    const now = step < 6 ? box(s, step, before ? opened : null) : field(s, step, step === 6 ? s.context : s.batch, before ? was / tile : null);
    const scene = svg("g", {}, now.nodes);
    fill(picture, { width: f.width, height: high(), viewBox: `0 0 ${f.width} ${high()}` }, []);
    picture.replaceChildren(scene);
    if (seen && !calm() && Math.abs(step - seen.step) === 1) {
      const by = step > seen.step ? seen.whole / now.piece : seen.piece / now.whole;
      scene.animate([{ transform: `translate(${seen.x}px, ${seen.y}px) scale(${by}) translate(${-now.x}px, ${-now.y}px)` }, { transform: "none" }], { duration: 700, easing: "ease-in-out" });
    }
    seen = { ...now, step };
    return now.says + dashed(before);
  }

  // ---- the words

  const terms = (s) => [number_(s.dtype.bytes / s.dtype.values), group(s.head_dim), s.vectors, group(s.n_kv_heads), group(s.n_layers), group(s.context), group(s.batch)];
  const factorOf = (s, p) => [`${s.named}, bytes per number`, `× ${group(s.head_dim)} in a head (head_dim)`, `× ${s.vectors} (${s.kept})`,
    `× ${many(s.n_kv_heads, "KV head")}${p.padding ? ", in whole blocks" : ""}`, `× ${many(s.n_layers, "layer")}`, `× ${many(s.context, "token")}`, `× ${many(s.batch, "sequence")}`];

  // What a format that stores numbers in blocks does at a step.
  function blocked(s, p, step) {
    const { values, bytes } = s.dtype;
    if (values === 1 || step > 4) return "";
    if (step === 1) return `${s.named} stores ${values} numbers in ${bytes === 1 ? "1 byte" : `${bytes} bytes`}${values > 2 ? ", their scale among them" : ""}. `;
    if (step < 4) return s.head_dim % values ? `${s.named} stores blocks of ${values}: a head ends within one, and this is its share. ` : "";
    return p.padding ? `The ${many(p.row, "number")} of ${s.vectors === 2 ? "all keys fill" : "the vector fill"} ${many(p.blocks, "block")} of ${values}: ${many(p.padding, "place")} at the end stay${p.padding === 1 ? "s" : ""} empty (dashed). ` : "";
  }

  function doubled(s, p) {
    const by = boxDoubled(s), short = by.head_dim !== 2 || by.n_kv_heads !== 2;
    if (!short) return "Doubling any of these factors doubles the cache.";
    const blocks = (2n * p.row + BigInt(s.dtype.values) - 1n) / BigInt(s.dtype.values);
    return `Doubling layers, context or batch doubles the cache. Doubling head_dim or KV heads makes it ${trimmed(fixed(by.head_dim, 3))} times as large: ${many(2n * p.row, "number")} fill ${many(blocks, "block")}, where ${group(p.row)} fill ${group(p.blocks)}.`;
  }

  f.draw(() => {
    const s = setting(), p = boxProducts(s), step = f.get("step"), wholes = f.get("wholes")[s.kept], factors = factorOf(s, p);
    const how = draw(s, p), solidly = step === 1 ? "" : `The solid part is ${wholes[step - 2]}. `;
    captions.forEach((caption, i) => {
      const n = i + 1, so = `${wholes[i][0].toUpperCase()}${wholes[i].slice(1)}: ${n > 1 ? `${many(p.counts[i], "number")}, ` : ""}${inBytes(p.sizes[i])}`;
      caption.classList.toggle("kv-solid-off", n !== step);
      caption.replaceChildren(h("p", { class: "kv-heading" }, `${n} of 7: ${factors[i]}`), h("p", {}, so, "."),
        h("p", { class: "kv-small kv-quiet" }, blocked(s, p, n), n === step ? solidly + how : ""));
      if (n === step) fill(picture, { "aria-label": `${so}. ${blocked(s, p, n)}${solidly}${how}` }, []);
    });
    rows.forEach(({ key, double, soFar, row }, i) => {
      double.disabled = twice[key]() === undefined;
      row.classList.toggle("kv-solid-now", i === step - 1);
      soFar.classList.toggle("kv-solid-off", i >= step);
      soFar.replaceChildren(h("strong", {}, inBytes(p.sizes[i])), h("span", { class: "kv-small kv-quiet" }, ` ${wholes[i]}`));
    });

    const all = many(p.all, "byte");
    sum.textContent = p.padding ? `${group(p.blocks)} ${p.blocks === 1n ? "block" : "blocks"} of ${s.dtype.bytes}: ${[p.blocks, s.dtype.bytes, s.vectors, s.n_layers, s.context, s.batch].map(group).join(" × ")} = ${all}` : `${terms(s).join(" × ")} = ${all}`;
    doubling.textContent = doubled(s, p);
    result.show(many(p.all, "byte"), { why: inUnits(p.all) });

    const axes = [["B", many(s.batch, "sequence")], ["H_kv", many(s.n_kv_heads, "KV head")], ["T", many(s.context, "token")], ["D", many(s.head_dim, "number")]];
    const tensors = s.vectors * s.n_layers;
    shapes.replaceChildren(h("p", { class: "kv-heading" }, `${many(tensors, "tensor")} of ${fmt(p.tensor)}${s.vectors === 2 ? ": keys and values, in every layer" : ", one in every layer"}. The axes of each:`),
      h("dl", { class: "kv-solid-axes" }, axes.map(([axis, text]) => h("div", {}, h("dt", {}, axis), h("dd", {}, text)))),
      h("p", { class: "kv-small kv-quiet" }, "In code that is the shape ", h("code", {}, `[${[s.batch, s.n_kv_heads, s.context, s.head_dim].join(", ")}]`), "."));
    f.say(`${fmt(p.all)}, ${many(p.all, "byte")}. Step ${step} of 7, ${factors[step - 1]}: ${wholes[step - 1]}, ${inBytes(p.sizes[step - 1])}.`);
    f.table("The cache, one factor at a time", ["so far", "factor", "numbers", "bytes"],
      FACTORS.map((_, i) => [wholes[i], factors[i], group(p.counts[i]), number_(p.sizes[i]) + readAs(p.sizes[i])]));
  });
}
