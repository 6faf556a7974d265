// Cheaper caches: what precision, window and rank each save, against the perplexity measured with it.
const SAVINGS = {
  precision: { label: "Precision", hue: "red", dash: "", shape: (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z` },
  window: { label: "Window", hue: "blue", dash: "5 4", shape: (r) => `M${-r} ${-r}H${r}V${r}H${-r}z` },
  rank: { label: "Rank", hue: "plum", dash: "2 3", shape: (r) => `M0 ${-r * 1.2}L${r * 1.2} ${r}H${-r * 1.2}z` },
};

function render({ model, el }) {
  const { points, full, measured } = model.get("data");
  const f = figure(el, model);
  for (const [way, { label }] of Object.entries(SAVINGS)) choice(f, way, { label });
  number(f, "context", { label: "Context", unit: "tokens", stops: Array.from({ length: 21 }, (_, i) => 2 ** i) });

  const rows = scroller("What each way saves");
  rows.classList.add("kv-savings");
  const apart = h("p", { class: "kv-small kv-apart" });
  const drawing = h("div");
  const key = h("p", { class: "kv-small kv-shapes-key", "aria-hidden": "true" }, Object.values(SAVINGS).map(({ label, hue, shape }) =>
    h("span", {}, svg("svg", { width: 16, height: 16, viewBox: "-8 -8 16 16" },
      svg("path", { class: "kv-point kv-picked", style: `--hue: var(--kv-${hue})`, d: shape(5) })), label)));
  f.body.append(rows, apart, drawing, key);
  share(f, "cheaper");

  const bytes = (p) => BigInt(p.tokens === null ? f.get("context") : Math.min(f.get("context"), p.tokens)) * BigInt(p.bytes);
  const change = (way, p) => {
    const more = 100 * (p.perplexity / full[way].perplexity - 1);
    return Math.abs(more) < 0.05 ? "the same" : `${more > 0 ? "+" : "−"}${fixed(Math.abs(more), 1)} %`;
  };

  f.draw(() => {
    const context = f.get("context"), whole = bytes(full.window);
    const chosen = Object.keys(SAVINGS).map((way) => [way, points[way].find((p) => p.name === f.get(way))]);
    const against = ["perplexity", "the full cache's", "more by"];
    const line = (way, p) => [fixed(p.perplexity, 2), fixed(full[way].perplexity, 2), change(way, p)];
    rows.replaceChildren(table(`At ${many(context, "token")}, where the full bf16 cache is ${fmt(whole)}`, ["saving", "cache", "of bf16", ...against],
      chosen.map(([way, p]) => [`${SAVINGS[way].label.toLowerCase()}: ${p.name}`, fmt(bytes(p)),
        `${fixed((100 * Number(bytes(p))) / Number(whole), 1)} %`, ...line(way, p)])));
    apart.textContent = context > measured ? `The bytes are those at ${many(context, "token")}; the perplexity was measured on ` +
      `${group(measured)}, and says nothing of a longer text.` : "";
    drawing.replaceChildren(drawPoints(points, full, bytes, Object.fromEntries(chosen), Math.min(f.width, 760)));
    f.say(`${chosen.map(([way, p]) => `${SAVINGS[way].label} ${p.name}: ${fmt(bytes(p))}, perplexity ${fixed(p.perplexity, 2)}, ` +
      `${change(way, p)}.`).join(" ")} ${apart.textContent}`);
    f.table(`Every point measured, at ${many(context, "token")}`, ["saving", "cache, bytes", ...against],
      Object.keys(SAVINGS).flatMap((way) => points[way].map((p) => [`${way}: ${p.name}`, group(bytes(p)), ...line(way, p)])));
  });
}

// Bytes across, perplexity as a multiple of the full cache's upwards. Both axes are logarithmic: caches
// shrink by factors, and perplexity has no upper bound.
function drawPoints(points, full, bytes, chosen, width) {
  const height = 320, left = 62, right = 16, top = 30, bottom = 44;
  const worse = (way, p) => p.perplexity / full[way].perplexity;
  const all = Object.values(points).flat();
  const xs = all.map((p) => Math.log2(Number(bytes(p))));
  const ys = Object.keys(points).flatMap((way) => points[way].map((p) => Math.log2(worse(way, p))));
  const padded = (values) => { const pad = 0.06 * (Math.max(...values) - Math.min(...values)) || 0.5; return [Math.min(...values) - pad, Math.max(...values) + pad]; };
  const [x0, x1] = padded(xs), [y0, y1] = padded(ys);
  const px = scale({ min: 2 ** x0, max: 2 ** x1, log: true }, left, width - right);
  const py = scale({ min: 2 ** y0, max: 2 ** y1, log: true }, height - bottom, top);
  const doublings = (from, to, every) => { const out = []; for (let i = Math.ceil(from / every); i * every <= to; i++) out.push(2 ** (i * every)); return out; };
  const wide = Math.max(1, Math.ceil((x1 - x0) / (width / 90)));
  const parts = [
    doublings(y0, y1, y1 - y0 > 4 ? 1 : 0.5).flatMap((n) => [svg("line", { class: "kv-grid", x1: left, x2: width - right, y1: py(n), y2: py(n) }),
      svg("text", { x: left - 8, y: py(n) + 4, "text-anchor": "end" }, `${trimmed(fixed(n, 2))} ×`)]),
    doublings(x0, x1, wide).flatMap((n) => [svg("line", { class: "kv-grid", x1: px(n), x2: px(n), y1: top, y2: height - bottom }),
      svg("text", { x: px(n), y: height - bottom + 18, "text-anchor": "middle" }, fmt(n))]),
    svg("line", { class: "kv-axis", x1: left, x2: width - right, y1: py(1), y2: py(1) }),
    svg("text", { x: width - right, y: height - 4, "text-anchor": "end" }, "cache"),
    svg("text", { x: 0, y: 10 }, "perplexity, times the full cache's"),
  ];
  for (const [way, { hue, dash, shape }] of Object.entries(SAVINGS)) {
    // A line joins the points that no smaller cache beats.
    const sorted = points[way].map((p) => [Number(bytes(p)), worse(way, p)]).sort(([a, y], [b, z]) => a - b || y - z);
    let lowest = Infinity;
    const front = sorted.filter(([, y]) => { const better = y < lowest; lowest = Math.min(lowest, y); return better; });
    const trail = front.map(([n, y], i) => `${i ? "L" : "M"}${px(n).toFixed(1)} ${py(y).toFixed(1)}`).join("");
    parts.push(svg("path", { class: "kv-trail", style: `--hue: var(--kv-${hue})`, "stroke-dasharray": dash, d: trail }),
      points[way].map((p) => {
        const picked = p === chosen[way];
        return svg("path", { class: picked ? "kv-point kv-picked" : "kv-point", style: `--hue: var(--kv-${hue})`, d: shape(picked ? 8 : 5),
          transform: `translate(${px(Number(bytes(p))).toFixed(1)} ${py(worse(way, p)).toFixed(1)})` }, svg("title", {}, `${way}: ${p.name}`));
      }));
  }
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `Cache against perplexity, ${all.length} points: the smaller the cache, the higher it stands.` }, parts);
}
