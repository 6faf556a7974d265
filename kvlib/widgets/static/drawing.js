// What figures draw with: fills that differ without their hue, a bar of parts, bars in a table, a legend, a chart.
// What a part's fill looks like is in palette.py: TEXTURES, role -> one of these names, "" for a solid fill.
const TILES = { "/": "M-1 1L1 -1M0 6L6 0M5 7L7 5", x: "M0 6L6 0M0 0L6 6", ".": "M3 2v2", "-": "M0 3H6", "|": "M3 0V6" };

// The fill of a role in an SVG of this figure: "var(--kv-weights)", or a pattern of that colour.
function texture(f, role) {
  const tile = TILES[TEXTURES[role]];
  if (!tile) return TEXTURES[role] === "hollow" ? "var(--kv-paper)" : `var(--kv-${role})`;
  f.textures ??= {};
  if (!f.textures[role]) {
    const id = f.textures[role] = newId();
    f.el.append(svg("svg", { width: 0, height: 0, "aria-hidden": "true", class: "kv-patterns" },
      svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
        svg("rect", { width: 6, height: 6, style: "fill: var(--kv-paper)" }),
        svg("path", { d: tile, style: `fill: none; stroke: var(--kv-${role}); stroke-width: 2.5` }))));
  }
  return `url(#${f.textures[role]})`;
}

// A small square of a role's fill, to stand before its name.
const swatch = (f, role) => svg("svg", { width: 14, height: 14, "aria-hidden": "true", class: "kv-swatch" },
  svg("rect", { x: 1, y: 1, width: 12, height: 12, style: `fill: ${texture(f, role)}; stroke: var(--kv-${role})` }));

// Rectangles, [x, y, width, height] each, as the one path of their class: few nodes redraw fast.
const boxes = (kind, all, attributes = {}) => svg("path", { class: kind, ...attributes,
  d: all.map(([x, y, w, height]) => `M${x.toFixed(1)} ${y.toFixed(1)}h${w.toFixed(1)}v${height.toFixed(1)}h${(-w).toFixed(1)}z`).join("") });

// A bar of parts, each with its role's fill. show([[role, bytes]…], whole, { alt, limit, end }) draws it: `whole` is
// the width's length, `end` where the bar ends and `limit`, if any, a line across it, in bytes (BigInt); `alt` says
// it in a sentence.
function stack(f, roles, { height = 42 } = {}) {
  const rects = Object.fromEntries(roles.map((role) => [role,
    svg("rect", { class: "kv-part", y: 6, height, "data-role": role, style: `fill: ${texture(f, role)}; stroke: var(--kv-${role})` })]));
  const line = svg("line", { class: "kv-limit", y1: 0, y2: height + 12 });
  const outline = svg("rect", { class: "kv-whole", x: 1, y: 6, height });
  const el = svg("svg", { class: "kv-stack", height: height + 12, role: "img" }, outline, Object.values(rects), line);
  const show = (parts, whole, { alt, limit = null, end = whole }) => {
    const width = f.width - 2, px = (bytes) => 1 + width * ratio(bytes, whole);
    fill(el, { width: f.width, viewBox: `0 0 ${f.width} ${height + 12}`, "aria-label": alt }, []);
    fill(outline, { width: px(end) - 1 }, []);
    let at = 0n;
    for (const [role, bytes] of parts) {
      // A pixel of paper lies between two parts.
      fill(rects[role], { x: px(at).toFixed(2), width: Math.max(0, px(at + bytes) - px(at) - 1).toFixed(2) }, []);
      at += bytes;
    }
    line.style.display = limit === null ? "none" : "";
    if (limit !== null) fill(line, { x1: px(limit), x2: px(limit) }, []);
  };
  return { el, show };
}

// What the fills stand for: [role, name, value, note] each; role "limit" is stack's line.
const legend = (f, items) => h("ul", { class: "kv-legend" }, items.map(([role, name, value, note]) => h("li", {},
  role === "limit" ? svg("svg", { width: 14, height: 14, "aria-hidden": "true", class: "kv-swatch" },
    svg("line", { class: "kv-limit", x1: 7, x2: 7, y1: 0, y2: 14 })) : swatch(f, role),
  `${name} `, value ? h("strong", {}, value) : null, note ? h("span", { class: "kv-quiet kv-small" }, ` ${note}`) : null)));

// A bar for each row, [name, share from 0 to 1, value, chosen]: a table, so that it can be read too.
const bars = (caption, rows) => h("table", { class: "kv-bars" }, h("caption", { class: "kv-hidden" }, caption),
  h("tbody", {}, rows.map(([name, share, value, chosen]) => h("tr", chosen ? { class: "kv-chosen" } : {},
    h("th", { scope: "row" }, name),
    h("td", { "aria-hidden": "true" }, h("div", { class: "kv-track" }, h("div", { class: "kv-fill", style: `width: ${100 * share}%` }))),
    h("td", {}, value)))));

// From an axis, { min, max, log }, to pixels.
function scale(axis, from, to) {
  const g = axis.log ? Math.log2 : (n) => n;
  return (n) => from + ((g(n) - g(axis.min)) / (g(axis.max) - g(axis.min) || 1)) * (to - from);
}

// A chart: lines over two axes, each linear or log.
// x, y: { min, max, log, label, ticks: [[value, text]…] }; series: { points: [[x, y]…], color, dash, name }
// `alt` says in a sentence what the chart shows; its numbers belong in f.table.
function chart(width, height, { x, y, series, alt, marks = [] }) {
  const left = 62, right = 20, top = 12, bottom = 40;
  const px = scale(x, left, width - right), py = scale(y, height - bottom, top);
  const path = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${px(a).toFixed(1)} ${py(b).toFixed(1)}`).join("");
  return svg("svg", { class: "kv-chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": alt },
    y.ticks.map(([n, text]) => [
      svg("line", { class: "kv-grid", x1: left, x2: width - right, y1: py(n), y2: py(n) }),
      svg("text", { x: left - 8, y: py(n) + 4, "text-anchor": "end" }, text)]),
    x.ticks.map(([n, text]) => svg("text", { x: px(n), y: height - bottom + 18, "text-anchor": "middle" }, text)),
    svg("line", { class: "kv-axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    svg("text", { class: "kv-axis-label", x: width - right, y: height - 4, "text-anchor": "end" }, x.label),
    svg("text", { class: "kv-axis-label", x: 0, y: 10 }, y.label),
    series.map((s) => svg("path", {
      d: path(s.points), style: `stroke: var(--kv-${s.color})`, "stroke-dasharray": s.dash, class: "kv-line" })),
    series.filter((s) => s.name).map((s) => {
      const [a, b] = s.points.at(-1);
      return svg("text", { class: "kv-name", x: px(a) - 4, y: py(b) - 7, "text-anchor": "end", style: `fill: var(--kv-${s.color})` }, s.name);
    }),
    marks.map(([a, b, color]) => svg("circle", { cx: px(a), cy: py(b), r: 5, style: `fill: var(--kv-${color})` })));
}
