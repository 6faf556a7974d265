// Decode theatre: a recorded run of a language model, moment by moment, with its cache and without. What the
// model computed is the recording's (decode_theatre.py); bytes and counts are maths.js's.

const LEVELS = 5; // shades of a cell
const quoted = (text) => `“${text.trim()}”`;
const fifths = (n) => fixed(n / 5, 1).replace("-", "−");

function render({ model, el }) {
  const f = figure(el, model);
  const d = f.get("data"), { tokens, prompt_tokens: prompt, phases } = d;
  const all = { scores: unpacked(d.scores), weights: unpacked(d.weights), keys: unpacked(d.keys), values: unpacked(d.values) };
  const bytes = (n) => kvBytes({ ...d.shape, context: n, batch: 1, dtype: f.get("dtypes")[d.dtype] });
  const name = (i) => quoted(tokens[i]);
  const kept = tokens.length - 1; // the last token is written and never read

  player(f, "moment", { label: "Moment", pace: 1100 });
  checkbox(f, "cached", { label: "With a cache" });
  const closer = h("div", { class: "kv-controls" });
  number(f, "layer", { label: "Layer", at: closer });
  number(f, "head", { label: "Head", at: closer });
  choice(f, "token", { label: "Point at", at: closer, names: Object.fromEntries(tokens.map((text, i) => [i + 1, `${i + 1}: ${text.trim()}`]).slice(0, kept)) });

  // The newest token's row at a step: a number for each key.
  const newest = (what, step) => {
    const first = (step - 1) * prompt + ((step - 1) * (step - 2)) / 2;
    return Array.from({ length: prompt + step - 1 }, (_, i) => all[what].at(f.get("layer"), f.get("head"), first + i));
  };
  const heaviest = (weights) => weights.indexOf(Math.max(...weights));

  const sentence = h("ol", { class: "kv-sentence", "aria-label": "The sentence" }, tokens.map((text, i) =>
    h("li", { "data-token": i + 1, class: i < prompt ? "" : "kv-written" }, text.trim())));
  const heading = h("p", { class: "kv-heading" }), words = h("p");
  const moment = h("div", { class: "kv-moment" }, heading, words);
  const drawing = stage(f, tokens, all, bytes);
  const pointed = h("p", { class: "kv-small kv-noted" });
  const candidates = h("div");
  const work = h("div", { class: "kv-tally" });
  f.body.append(sentence, moment, drawing.el, pointed, h("p", { class: "kv-heading" }, "The likeliest next tokens"), candidates, closer, work,
    h("p", { class: "kv-small kv-quiet" }, "The stronger a cell's colour, the longer the key or the value, against the longest of its layer. "
      + `Scores that the causal mask throws away are counted. ${d.about}`));
  share(f, "decode");

  // ---- pointing, by a mouse for as long as it points, by a touch or a click until the next

  let under = null;
  const point = (token) => { if (token !== under) { under = token; draw(); } };
  for (const [at, find] of [[sentence, (e) => Number(e.target.closest("[data-token]")?.dataset.token) || null], [drawing.el, drawing.token]]) {
    at.addEventListener("pointermove", (e) => { if (e.pointerType === "mouse") point(find(e)); });
    at.addEventListener("pointerleave", () => point(null));
    at.addEventListener("click", (e) => { const token = find(e); if (token && token <= kept) f.set("token", token); });
  }

  // ---- words

  const at = (moment) => {
    const m = moment - 1, step = 1 + Math.floor(m / phases.length);
    return { step, phase: phases[m % phases.length], T: prompt + step - 1, cached: f.get("cached"), fresh: step === 1 };
  };

  function said({ step, phase, T, cached, fresh }) {
    const last = name(T - 1), [text, chance] = d.next[step - 1][0];
    const weights = newest("weights", step), most = heaviest(weights);
    switch (phase) {
      case "project":
        if (fresh) return `The prompt's ${T} tokens go through the model together: each gets a query, a key and a value in every layer.`;
        return cached ? `Of ${T} tokens ${last} alone is new: 1 of ${T} gets a query, a key and a value in every layer.`
          : `All ${T} tokens go through the model again, though ${T - 1} of them have been there before.`;
      case "keep":
        if (!cached) return "Nothing is kept: these keys and values serve this step alone.";
        return fresh ? `The keys and values of ${T} tokens fill the cache: ${group(bytes(1))} bytes each, ${group(bytes(T))} bytes.`
          : `The keys and values of ${last} join the cache: ${group(bytes(1))} bytes more, ${group(bytes(T))} bytes in all.`;
      case "score": {
        const where = `in layer ${f.get("layer")}, head ${f.get("head")}, most weight, ${weights[most]} %, lies on token ${most + 1}, ${name(most)}.`;
        return fresh || !cached ? `${T} queries meet ${T} keys, ${T * T} scores of each head. Shown are those of ${last}, which decide the next token: ${where}`
          : `The query of ${last} meets ${T} keys, ${T} scores of each head: ${where}`;
      }
      default:
        return `The model writes ${quoted(text)}, ${fixed(chance / 10, 1)} % likely. `
          + (cached ? "Query, scores and weights are thrown away; keys and values stay." : "Queries, scores and weights are thrown away, and so are all keys and values.");
    }
  }

  function about(token, { step, phase, T, cached, fresh }) {
    const i = token - 1, parts = [`Token ${token}, ${name(i)}`];
    if (i >= T) return `${parts[0]}: not read yet.`;
    const there = phase === "score" || phase === "write";
    if (there) parts.push(`weight ${newest("weights", step)[i]} %, score ${fifths(newest("scores", step)[i])}`);
    parts.push(`in layer ${f.get("layer")} its key is ${fixed(all.keys.at(f.get("layer"), i) / 100, 2)} long, its value ${fixed(all.values.at(f.get("layer"), i) / 100, 2)}`);
    const waits = phase === "project" && (fresh || i === T - 1);
    if (cached) parts.push(waits ? "not in the cache yet" : `${group(bytes(1))} bytes in the cache`);
    else if (phase === "write") parts.push("both are thrown away");
    return `${parts[0]}: ${parts.slice(1).join("; ")}.`;
  }

  const twice = (text, small) => h("td", {}, text, " ", h("span", { class: "kv-quiet kv-small" }, small));
  const ways = { with: "with a cache", without: "without" };
  const workTable = ({ step, T, cached }) => {
    const counted = decodeCounts(prompt, step);
    const rows = Object.entries(ways).map(([way, text]) => {
      const n = counted[way];
      return h("tr", (way === "with") === cached ? { class: "kv-chosen" } : {}, h("th", { scope: "row" }, text),
        twice(group(n.projections), `in all ${group(n.all_projections)}`), twice(group(n.scores), `in all ${group(n.all_scores)}`),
        twice(way === "with" ? group(bytes(T)) : "0", "bytes"));
    });
    return h("table", {}, h("caption", {}, `Step ${step} as a whole, and all steps to its end`),
      h("thead", {}, h("tr", {}, ["model", "tokens projected", "scores of each head", "kept"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, rows));
  };

  function draw() {
    reserve();
    const n = at(f.get("moment")), token = under ?? f.get("token");
    const written = n.T + (n.phase === "write" ? 1 : 0);
    [...sentence.children].forEach((li, i) => {
      li.classList.toggle("kv-ahead", i >= written);
      li.classList.toggle("kv-asks", i === n.T - 1);
      li.classList.toggle("kv-pointed", i === token - 1);
    });
    heading.textContent = `Step ${n.step} of ${tokens.length - prompt}: ${n.phase}`;
    words.textContent = said(n);
    pointed.textContent = about(token, n);
    drawing.show(n, token, newest("scores", n.step), newest("weights", n.step));
    candidates.replaceChildren(bars("The likeliest next tokens", d.next[n.step - 1].map(([text, chance], i) => (n.phase === "write"
      ? [text === "\n" ? "a line break" : quoted(text), chance / 1000, `${fixed(chance / 10, 1)} %`, i === 0] : ["…", 0, "–"]))));
    work.replaceChildren(workTable(n));
    f.say(`${heading.textContent}. ${words.textContent}`);
    tabulate(n.cached);
  }

  // What the table says changes with these alone.
  let tabulated = "";
  function tabulate(cached) {
    const of = [cached, f.get("layer"), f.get("head")].join();
    if (of === tabulated) return;
    tabulated = of;
    const way = cached ? "with" : "without";
    f.table(`Every step ${way} a cache; layer ${f.get("layer")}, head ${f.get("head")}`,
      d.columns,
      d.next.map(([[text, chance]], i) => {
        const step = i + 1, T = prompt + i, c = decodeCounts(prompt, step)[way], weights = newest("weights", step), most = heaviest(weights);
        return [`${step}, ${name(T - 1)}`, `${c.projections} of ${T}`, c.scores, cached ? `${group(bytes(T))} bytes` : "nothing",
          `${weights[most]} % on ${most + 1}, ${name(most)}`, `${quoted(text)}, ${fixed(chance / 10, 1)} %`];
      }));
  }

  // The words get the room of the longest sentence, so that the page keeps still while the figure plays.
  let reserved = "";
  function reserve() {
    const of = [f.width, f.get("cached")].join();
    if (of === reserved) return;
    reserved = of;
    const [least, most] = f.get("limits").moment;
    const every = Array.from({ length: most - least + 1 }, (_, i) => said(at(least + i))).sort((a, b) => b.length - a.length);
    words.textContent = `${every[0]} 100 capital`; // another head's numbers and token may be as much longer
    words.style.minHeight = "";
    words.style.minHeight = `${words.offsetHeight}px`;
  }

  f.draw(draw);
}

// The drawing: a column a token, its keys above its values, a stripe a layer; under them the newest token's query,
// its scores and its weights. show() moves what changes between two moments; the cells are drawn once a width.
function stage(f, tokens, all, bytes) {
  const el = svg("svg", { class: "kv-stage", role: "img" });
  const [layers, kept] = all.keys.shape, n = tokens.length;
  const rowHeight = 4, block = layers * rowHeight, names = 16 + 7.2 * Math.max(...tokens.map((text) => text.trim().length));
  const y = { keys: names + 20 };
  y.values = y.keys + block + 22;
  y.query = y.values + block + 28;
  y.scores = y.query + 40;
  y.weights = y.scores + 44 + 36;
  const foot = y.weights + 64, high = foot + 6;
  let wide = 0, cell = 0, columns = [], moving = {};

  const level = (kind, layer, i) => {
    const row = Array.from({ length: kept }, (_, token) => all[kind].at(layer, token));
    return Math.max(1, Math.ceil((LEVELS * row[i]) / Math.max(...row)));
  };
  const levels = Object.fromEntries(["keys", "values"].map((kind) => [kind,
    Array.from({ length: layers }, (_, layer) => Array.from({ length: kept }, (_, i) => level(kind, layer, i)))]));
  const range = (m) => Array.from({ length: m }, (_, i) => i);

  const cells = (kind, i) => range(LEVELS).map((l) => boxes("kv-cells", range(layers).filter((layer) => levels[kind][layer][i] === l + 1)
    .map((layer) => [i * cell + 2, y[kind] + layer * rowHeight, cell - 4, rowHeight - 0.6]),
  { style: `fill: var(--kv-${kind}); fill-opacity: ${(l + 1) / LEVELS}` }));
  const column = (i) => svg("g", { class: "kv-pile" }, ["keys", "values"].map((kind) => [...cells(kind, i),
    svg("rect", { class: "kv-case", x: i * cell + 1, y: y[kind] - 1.5, width: cell - 2, height: block + 2.4 })]));
  const label = (at, text, attributes = {}) => svg("text", { x: 0, y: at, ...attributes }, text);

  function build() {
    wide = f.width;
    cell = Math.min(40, wide / n);
    columns = range(kept).map(column);
    moving = {
      chips: tokens.map((text, i) => svg("text", { class: "kv-chip", transform: `translate(${(i + 0.5) * cell + 4} ${names - 6}) rotate(-90)` }, text.trim())),
      rows: ["keys", "values"].map((kind) => [kind, svg("rect", { class: "kv-stripe", x: 0.75, height: rowHeight + 2.4 })]),
      keysLabel: label(y.keys - 7, ""), valuesLabel: label(y.values - 7, "Values"), more: label(y.values - 7, "", { "text-anchor": "end" }),
      point: svg("rect", { class: "kv-looked", y: names - 2, height: foot - names + 4, width: cell }),
      lane: svg("g"), queryLabel: label(y.query - 10, ""), scoresLabel: label(y.scores - 8, ""), weightsLabel: label(y.scores + 44 + 14, ""),
    };
    fill(el, { width: n * cell, height: high, viewBox: `0 0 ${n * cell} ${high}` }, []);
    const { chips, rows, point, lane, keysLabel, valuesLabel, more, queryLabel, scoresLabel, weightsLabel } = moving;
    el.replaceChildren(...chips, ...columns, ...rows.map(([, rect]) => rect), svg("line", { class: "kv-axis", x1: 0, x2: kept * cell, y1: foot, y2: foot }),
      point, lane, keysLabel, valuesLabel, more, queryLabel, scoresLabel, weightsLabel);
  }

  // The query's arrow over the keys that it meets, a bar for each score from the row's least, one for each weight.
  function asked({ phase, T, cached, fresh }, scores, weights) {
    const x = (i) => (i + 0.5) * cell, asking = phase === "score" || phase === "write";
    const low = Math.min(...scores), high = Math.max(...scores);
    const bar = (i, at, most, part) => [i * cell + 3, at + most * (1 - part), cell - 6, Math.max(0.8, most * part)];
    const parts = [svg("circle", { class: "kv-asker", cx: x(T - 1), cy: y.query, r: 5 })];
    if (asking) {
      parts.push(svg("path", { class: "kv-asker", d: `M${x(T - 1) - 5} ${y.query}H${x(0)}m7 -4l-7 4l7 4`, "fill-opacity": 0 }),
        boxes("kv-scored", scores.map((s, i) => bar(i, y.scores, 34, (s - low) / (high - low || 1)))),
        boxes("kv-weighed", weights.map((w, i) => bar(i, y.weights, 64, w / 100))),
        weights.map((w, i) => (w < 5 ? null : svg("text", { class: "kv-percent", x: x(i), y: y.weights + 64 * (1 - w / 100) - 4, "text-anchor": "middle" }, w))));
    }
    moving.lane.setAttribute("class", phase === "write" ? "kv-thrown" : "");
    moving.lane.replaceChildren(...parts.flat().filter(Boolean));
    const gone = phase === "write" ? ": thrown away" : "";
    moving.queryLabel.textContent = `The query of ${quoted(tokens[T - 1])}${gone}`;
    moving.scoresLabel.textContent = asking ? `Its scores, ${fifths(low)} to ${fifths(high)}${gone}` : "Its scores";
    moving.weightsLabel.textContent = `Its weights, in %${gone}`;
  }

  function show(moment, token, scores, weights) {
    const { phase, T, cached, fresh } = moment;
    if (wide !== f.width) build();
    columns.forEach((g, i) => {
      const burns = i < T && phase === "project" && (fresh || !cached || i === T - 1);
      const lost = !cached && phase === "write";
      const look = `kv-pile${i >= T ? " kv-soon" : ""}${burns ? " kv-burns" : ""}${burns && cached ? " kv-above" : ""}${i < T && lost ? " kv-lost" : ""}`;
      if (g.getAttribute("class") !== look) g.setAttribute("class", look);
    });
    const written = T + (phase === "write" ? 1 : 0);
    moving.chips.forEach((chip, i) => { chip.style.visibility = i < written ? "" : "hidden"; });
    for (const [kind, rect] of moving.rows) fill(rect, { y: y[kind] + f.get("layer") * rowHeight - 1.5, width: T * cell - 1.5 }, []);
    moving.keysLabel.textContent = `Keys of ${layers} layers, layer ${f.get("layer")} framed`;
    moving.more.textContent = cached && phase === "keep" ? `+ ${group(bytes(fresh ? T : 1))} bytes` : "";
    moving.more.setAttribute("x", T * cell);
    moving.point.setAttribute("x", (token - 1) * cell);
    asked(moment, scores, weights);
    const held = !cached ? "none kept" : phase === "project" && !fresh ? `${T - 1} in the cache` : phase === "project" ? "none in the cache yet" : `${T} in the cache`;
    const share = phase === "score" || phase === "write" ? ` Weights: ${weights.map((w, i) => [w, i]).filter(([w]) => w >= 5).map(([w, i]) => `${w} % on ${quoted(tokens[i])}`).join(", ")}.` : "";
    el.setAttribute("aria-label", `Keys and values of ${many(T, "token")} in ${layers} layers, ${held}.${share}`);
  }

  const token = (event) => {
    const i = Math.floor((event.clientX - el.getBoundingClientRect().left) / cell);
    return i >= 0 && i < kept ? i + 1 : null;
  };
  return { el, show, token };
}
