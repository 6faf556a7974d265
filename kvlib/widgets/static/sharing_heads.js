// Sharing heads: query heads stand over the KV head they read; fewer KV heads, fewer bytes.
function render({ model, el }) {
  const f = figure(el, model);
  const rows = f.get("rows");
  const chosen = () => rows.find((row) => row.model === f.get("model"));
  const divisors = () => Array.from({ length: chosen().n_heads }, (_, i) => i + 1).filter((d) => chosen().n_heads % d === 0);
  const kind = (kv) => (kv === chosen().n_heads ? "MHA" : kv === 1 ? "MQA" : "GQA");
  const token = (kv) => kvBytes({ n_layers: chosen().keeping, n_kv_heads: kv, head_dim: chosen().head_dim,
    context: 1, batch: 1, dtype: f.get("dtypes")[f.get("dtype")] });

  // The model and its KV heads change together, so that no pair is ever wrong.
  choice(f, "model", { label: "Model", put: (model) => ({ model, n_kv_heads: rows.find((row) => row.model === model).n_kv_heads }) });
  const heads = h("input", { type: "range", id: newId(), min: 0, step: 1, onpointerdown: () => quietly(f),
    oninput: () => f.set("n_kv_heads", divisors()[heads.valueAsNumber]) });
  const count = h("span", { class: "kv-count" });
  f.controls.append(h("div", { class: "kv-control" }, h("label", { for: heads.id }, "KV heads"), count, heads));
  choice(f, "dtype", { label: "Precision" });

  const big = h("p", { class: "kv-big" });
  const said = h("p", {});
  const drawing = h("div", { class: "kv-heads" });
  const choices = h("div");
  const compared = comparison(f, rows);
  f.body.append(big, said, drawing, choices, compared.el);
  share(f, "heads");

  f.draw(() => {
    const row = chosen(), kv = f.get("n_kv_heads"), group_size = row.n_heads / kv;
    const bytes = token(kv);
    heads.max = divisors().length - 1;
    heads.value = divisors().indexOf(kv);
    count.textContent = `${kv} of ${row.n_heads}: ${kind(kv)}`;
    heads.setAttribute("aria-valuetext", `${kv} KV heads, ${kind(kv)}`);

    big.textContent = `${fmt(bytes)} per token`;
    const readers = group_size === 1 ? "every query head has a KV head of its own" :
      kv === 1 ? `all ${row.n_heads} query heads share one KV head` : `${group_size} query heads share each KV head`;
    const share = group_size === 1 ? "all that MHA keeps" : `1/${group_size} of what MHA would keep`;
    const against = kv === row.n_kv_heads ? `${row.model}'s own choice` :
      kv > row.n_kv_heads ? `${times(kv, row.n_kv_heads)} times ${row.model}'s own choice` :
        `1/${times(row.n_kv_heads, kv)} of ${row.model}'s own choice`;
    said.textContent = `${kind(kv)}: ${readers}. That is ${share}, and ${against}.`;
    f.say(`${fmt(bytes)} per token. ${said.textContent}`);

    drawing.replaceChildren(drawHeads(row.n_heads, kv, Math.min(f.width, 720)));
    const most = Number(token(row.n_heads));
    choices.replaceChildren(bars("One token's bytes, by the number of KV heads", [["as MHA", row.n_heads],
      ["its own choice", row.n_kv_heads], ["as MQA", 1], ["set here", kv]].map(([name, n]) =>
      [`${name}: ${n}`, Number(token(n)) / most, fmt(token(n)), name === "set here"])));
    compared.show();
    f.table(`Who reads whom in ${row.model} with ${kv} KV heads`, ["KV head", "read by query heads"],
      Array.from({ length: kv }, (_, i) => [i, group_size === 1 ? i : `${i * group_size} to ${(i + 1) * group_size - 1}`]));
  });
}

const times = (a, b) => trimmed(fixed(a / b, 2));

// Hollow squares are query heads, solid ones KV heads; a bracket joins a group to the head it reads.
function drawHeads(n_heads, kv, width) {
  const size = n_heads / kv;
  // As many heads per row as fit with 9 px each; a divisor of n_heads if a good one fits, for full rows.
  const fits = Math.max(1, Math.floor(width / (n_heads > 32 ? 10 : 9)));
  const full = Array.from({ length: n_heads }, (_, i) => i + 1).filter((d) => n_heads % d === 0 && d <= fits).at(-1);
  const columns = 2 * full >= Math.min(fits, n_heads) ? full : Math.min(fits, n_heads);
  const step = Math.min(26, width / columns), box = step * 0.72, pad = (step - box) / 2;
  const perRow = Math.max(1, Math.floor(columns / size)); // groups side by side
  const deep = Math.max(1, Math.ceil(size / columns)); // rows of queries one group takes
  const gap = 20, high = deep * step + gap + box + 14;
  const parts = [];
  for (let g = 0; g < kv; g++) {
    const x0 = (g % perRow) * size * step, y0 = Math.floor(g / perRow) * high;
    const wide = Math.min(size, columns) * step;
    let queries = "";
    for (let i = 0; i < size; i++) {
      const x = x0 + (i % columns) * step + pad, y = y0 + Math.floor(i / columns) * step + 1;
      queries += `M${x} ${y}h${box}v${box}h${-box}z`;
    }
    const base = y0 + deep * step, middle = x0 + wide / 2;
    const bracket = size > 1 ? `M${x0 + pad} ${base}v5H${x0 + wide - pad}v-5M${middle} ${base + 5}V${base + gap - 4}` :
      `M${middle} ${base - pad + 1}V${base + gap - 4}`;
    parts.push(svg("path", { d: queries, class: "kv-query" }), svg("path", { d: bracket, class: "kv-bracket" }),
      svg("rect", { x: middle - box / 2, y: base + gap - 4, width: box, height: box, rx: 2, class: "kv-kept" }));
  }
  const height = Math.ceil(kv / perRow) * high;
  const all = Math.ceil(n_heads / columns) * (step + gap + box + 14);
  return h("div", { style: `min-height:${all}px` },
    h("p", { class: "kv-small kv-quiet", "aria-hidden": "true" },
      h("span", { class: "kv-mark-query" }), ` query head, ${n_heads} `, h("span", { class: "kv-mark-kept" }), ` KV head, ${kv}: keys and values are kept`),
    svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `${n_heads} query heads over ${kv} KV heads, ${size} to each.` }, parts));
}

// The real models, by any column: a button in each header sorts, largest first, names from A.
function comparison(f, rows) {
  const columns = f.get("columns");
  const sizes = ["bytes_per_token", "at_8k", "at_128k"];
  const cells = (row) => columns.map(([key]) => {
    if (key === "model") return h("th", { scope: "row" }, row.model);
    const value = row[key];
    if (sizes.includes(key)) return h("td", {}, value === null ? h("span", { class: "kv-quiet" }, `ends at ${group(row.ends)}`) : fmt(value, null, 1));
    return h("td", {}, value === null ? "–" : String(value));
  });
  const lines = new Map(rows.map((row) => [row.model, h("tr", {}, cells(row))]));
  const heads = columns.map(([key, name]) => h("th", { scope: "col" },
    h("button", { type: "button", onclick: () => f.set("sort", key) }, name)));
  const body = h("tbody", {});
  const order = h("caption", {});
  const at = scroller("Models compared",
    h("table", { class: "kv-models" }, order, h("thead", {}, h("tr", {}, heads)), body));
  at.classList.add("kv-compared");
  let sorted = null;
  const show = () => {
    const key = f.get("sort");
    if (sorted !== key) {
      const size = (row) => row[key] ?? -1;
      const by = key === "model" ? (a, b) => (a.model < b.model ? -1 : 1) : (a, b) => size(b) - size(a) || (a.model < b.model ? -1 : 1);
      body.replaceChildren(...[...rows].sort(by).map((row) => lines.get(row.model)));
      columns.forEach(([name], i) => {
        if (name === key) heads[i].setAttribute("aria-sort", key === "model" ? "ascending" : "descending");
        else heads[i].removeAttribute("aria-sort");
      });
      const [, words] = columns.find(([name]) => name === key);
      order.textContent = `Real models, bf16, by ${words}${key === "model" ? "" : ", largest first"}${f.get("note")}`;
      sorted = key;
    }
    for (const [name, line] of lines) {
      if (name === f.get("model")) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
  };
  return { el: at, show };
}
