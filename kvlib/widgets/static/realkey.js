// Quantise a real key: one number of it between two rulers, the steps that it shares by token and by channel; the
// errors of all numbers and scores beside each other.
function render({ model, el }) {
  const f = figure(el, model), data = f.get("data"), [least, most, step] = f.get("ends");
  const T = data.tokens.length, D = data.keys_high.shape[1], WAYS = ["token", "channel"];
  const asRecorded = [false, true].map((rotated) => keysOf(data, rotated));
  const signed = (n, digits = 2) => fixed(n, digits).replace("-", "−");

  choice(f, "bits", { label: "Bits a number" });
  choice(f, "group", { label: "Numbers that share a scale" });
  number(f, "token", { label: "Token" });
  number(f, "channel", { label: "Channel" });
  checkbox(f, "rotated", { label: "Turned by position, as cached" });
  const result = verdict(f);

  // ---- the number, between its rulers
  const keys = h("div"), which = h("p", { class: "kv-rk-which" });
  const rulers = WAYS.map(() => ({ words: h("p", { class: "kv-small" }), drawn: h("div") }));
  const moved = () => {
    const [place, value] = f.get("moved").split(":"), [token, channel] = place.split(".");
    return value === undefined ? null : [token - 1, Number(channel), Number(value)];
  };
  const slider = h("input", { type: "range", class: "kv-rk-slider", min: least, max: most, step, "aria-label": "The number, slider",
    onpointerdown: () => quietly(f),
    oninput: () => { f.notice(""); f.set("moved", `${f.get("token")}.${f.get("channel")}:${slider.valueAsNumber}`, REST); }, onchange: f.send });
  const back = button("Put it back", () => f.set("moved", ""), { class: "kv-rk-back" });
  f.body.append(
    h("p", { class: "kv-heading" }, "The keys: a row a token, a column a channel"), keys, which,
    rulers[0].words, rulers[0].drawn, slider, rulers[1].drawn, rulers[1].words, h("div", { class: "kv-buttons" }, back));
  const maps = WAYS.map((way) => ({ name: h("p", { class: "kv-heading" }), words: h("p", { class: "kv-small kv-quiet" }), drawn: h("div") }));
  const shade = h("p", { class: "kv-small kv-quiet" });
  f.body.append(h("div", { class: "kv-rk-two" }, maps.map(({ name, words, drawn }) => h("div", {}, name, words, drawn))), shade);
  share(f, "realkey");

  // A map of T rows of D numbers, the darker the larger, and `last`, a column beside them; each has its largest.
  const SHADES = 5;
  function map(width, high, rows, largest, { last = [], lastLargest = 1, frames, hue, alt, pick }) {
    const w = width / (D + (last.length ? 4 : 0)), shades = Array.from({ length: SHADES }, () => []);
    const shadeOf = (n, whole) => Math.round((SHADES * Math.abs(n)) / (whole || 1)), put = (shade, box) => { if (shade) shades[shade - 1].push(box); };
    for (const [t, row] of rows.entries()) {
      const all = row.map((n) => shadeOf(n, largest));
      for (let from = 0, to = 0; to < D; from = to) { // neighbours of one shade are one box
        while (to < D && all[to] === all[from]) to++;
        put(all[from], [from * w, t * high, (to - from) * w, high]);
      }
    }
    last.forEach((n, t) => put(shadeOf(n, lastLargest), [(D + 1) * w, t * high, 3 * w, high]));
    return svg("svg", { class: "kv-rk-map", width, height: T * high, viewBox: `0 0 ${width} ${T * high}`, role: "img", "aria-label": alt, onclick: pick && ((event) => {
      const box = event.currentTarget.getBoundingClientRect(), at = (a, size, n) => Math.min(n - 1, Math.max(0, Math.floor((a / size) * n)));
      f.put({ token: at(event.clientY - box.top, box.height, T) + 1, channel: at(event.clientX - box.left, box.width, D) });
    }) },
    svg("rect", { class: "kv-whole", width: D * w, height: T * high }), last.length ? svg("rect", { class: "kv-whole", x: (D + 1) * w, width: 3 * w, height: T * high }) : null,
    shades.map((all, i) => boxes("kv-rk-cell", all, { style: `fill: var(--kv-${hue})`, "fill-opacity": (i + 1) / SHADES })),
    frames.map((cells) => {
      const [[t0, c0], [t1, c1]] = [cells[0], cells.at(-1)];
      return svg("rect", { class: "kv-rk-frame", x: c0 * w, y: t0 * high, width: (c1 - c0 + 1) * w, height: (t1 - t0 + 1) * high });
    }));
  }

  // The steps of a group, far from the slider, and its numbers, close to it; a line leads from each to its step.
  const EDGE = 8, HIGH = 66, CLOSE = 3;
  function ruler(group, at, rows, below) {
    const width = f.width, px = scale({ min: least, max: most }, EDGE, width - EDGE), y = (n) => (below ? n : HIGH - n);
    const values = group.cells.map(([t, c]) => rows[t][c]), end = 2 ** f.get("bits") - 1, gap = px(group.scale) - px(0);
    const line = (x0, y0, x1, y1) => `M${x0.toFixed(1)} ${y(y0)}L${x1.toFixed(1)} ${y(y1)}`;
    const first = px(group.zero), last = px(group.zero + end * group.scale);
    const steps = gap < CLOSE ? svg("rect", { class: "kv-rk-band", x: first, y: Math.min(y(46), y(58)), width: last - first, height: 12 })
      : svg("path", { class: "kv-rk-steps", d: Array.from({ length: end + 1 }, (_, n) => line(first + n * gap, 46, first + n * gap, 58)).join("") });
    const height = below ? HIGH + 14 : HIGH;
    return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", class: "kv-rk-ruler",
      "aria-label": `${group.cells.length} numbers from ${signed(Math.min(...values))} to ${signed(Math.max(...values))} on ${end + 1} steps of ${signed(group.scale, 3)}.` },
    svg("line", { class: "kv-axis", x1: EDGE, x2: width - EDGE, y1: y(46), y2: y(46) }), steps,
    below ? [least, -10, 0, 10].map((n) => svg("text", { x: px(n), y: 76, "text-anchor": n === least ? "start" : "middle" }, signed(n, 0))) : null,
    svg("path", { class: "kv-rk-numbers", d: values.map((n, i) => line(px(n), 4, px(n), 16) + line(px(n), 16, px(group.read[i]), 46)).join("") }),
    svg("path", { class: "kv-rk-this", d: line(px(values[at]), 0, px(values[at]), 16) + line(px(values[at]), 16, px(group.read[at]), 58) }));
  }

  f.draw(() => {
    const setting = { bits: f.get("bits"), group: f.get("group"), rotated: f.get("rotated") }, change = moved();
    const t = f.get("token") - 1, c = f.get("channel"), recorded = asRecorded[Number(setting.rotated)], rows = recorded.map((row) => row.slice());
    if (change) rows[change[0]][change[1]] = change[2];
    const here = rows[t][c];
    const ways = WAYS.map((way, i) => quantized(rows, data, setting, i === 1)), groups = ways.map(({ of }) => of[t][c]);
    const at = groups.map(({ cells }) => cells.findIndex(([a, b]) => a === t && b === c));
    const largest = Math.max(...rows.flat().map(Math.abs)), worst = Math.max(...ways.flatMap(({ errors }) => errors.flat().map(Math.abs)));
    const worstScore = Math.max(...ways.flatMap(({ off }) => off.map(Math.abs)));

    const name = `token ${t + 1}, “${data.tokens[t].trim()}”, channel ${c}`;
    const was = change && change[0] === t && change[1] === c ? recorded[t][c] : null;
    which.textContent = `The number of ${name}: ${signed(here)}${was === null ? "" : `, moved from ${signed(was)}`}. Drag it:`;
    slider.value = here;
    slider.setAttribute("aria-valuetext", `${signed(here)}, ${name}`);
    back.disabled = !change;
    const spans = [`channels ${groups[0].cells[0][1]} to ${groups[0].cells.at(-1)[1]} of this token`, `tokens ${groups[1].cells[0][0] + 1} to ${groups[1].cells.at(-1)[0] + 1} in this channel`];
    const land = groups.map(({ scale, read }, i) => `By ${WAYS[i]}: steps of ${signed(scale, 3)}, shared by ${spans[i]}; it lands on ${signed(read[at[i]])}.`);
    rulers.forEach(({ words, drawn }, i) => {
      words.textContent = land[i];
      drawn.replaceChildren(ruler(groups[i], at[i], rows, i === 1));
    });
    keys.replaceChildren(map(f.width, 5, rows, largest, { hue: "keys", frames: groups.map(({ cells }) => cells), pick: true,
      alt: `${T} tokens by ${D} channels; the largest number is ${signed(largest)} from 0. Framed are the two groups of the number that is looked at.` }));
    const width = f.width < 560 ? f.width : (f.width - 24) / 2;
    maps.forEach(({ name, words, drawn }, i) => {
      const { errors, off, error, scores } = ways[i];
      name.textContent = `Errors by ${WAYS[i]}`;
      words.textContent = `A number ${fixed(error, 4)}, a score ${fixed(scores, 4)}`;
      drawn.replaceChildren(map(width, 4, errors, worst, { hue: "plum", last: off, lastLargest: worstScore, frames: [groups[i].cells],
        alt: `Errors by ${WAYS[i]}: ${fixed(error, 4)} for a number and ${fixed(scores, 4)} for a score, root mean squares.` }));
    });
    shade.textContent = `Root mean squares. The strongest shade is an error of ${fixed(worst, 2)} in a number and, in the column at the right, of ${fixed(worstScore, 2)} in a score: q·k / √${D}, of the query with which the last token read these keys.`;

    const kind = f.get("dtypes")[`int${setting.bits}-g${setting.group}`], bytes = (dtype) => group(nbytes(T * D, dtype));
    const head = `Score error: ${fixed(ways[0].scores, 3)} by token, ${fixed(ways[1].scores, 3)} by channel`;
    const why = `Codes of ${setting.bits} bits, scales and zeros: ${bytes(kind)} bytes either way; in fp16 ${bytes(f.get("dtypes").fp16)}.`;
    result.show(head, { why });
    f.say(`${head}. The number of ${name} is ${signed(here)}. ${land.join(" ")}`);
    f.table(`The numbers that share a scale with that of ${name}`, ["number", "shares by", "value", "code", "lands on", "error"],
      groups.flatMap(({ cells, codes, read }, i) => cells.map(([a, b], n) =>
        [i ? `token ${a + 1}` : `channel ${b}`, WAYS[i], signed(rows[a][b], 4), codes[n], signed(read[n], 4), signed(read[n] - rows[a][b], 4)])));
  });
}
