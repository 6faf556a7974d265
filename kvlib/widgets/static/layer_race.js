// Layer by layer: a bar for each layer of one or two models, as high as what it keeps, its kind by hue, texture and
// letter; the totals on one axis. Every scale reaches what the longest context keeps, so nothing shrinks as it grows.
//
// A page without a kernel that reads a config itself hands its layout over; the figure offers and chooses it:
//   el.dispatchEvent(new CustomEvent("kv-layout", { detail: { name: "pasted", strip } }))
// `el` is the .kv-figure, `strip` what strip(layout) of groups.py returns, `name` what the model is called.
function render({ model, el }) {
  const f = figure(el, model);
  const words = f.get("words"), NONE = "none";
  const chosen = (at = {}) => [...new Set(["model", "other"].map((key) => at[key] ?? f.get(key)))].filter((name) => name !== NONE);
  const longest = (names) => Math.max(...names.map((name) => f.get("strips")[name].ends ?? f.get("scaled_to")));
  const stops = () => stopsTo(longest(chosen()), f.get("axes") === "logarithmic");
  // Another pair may end before the context that is shown.
  const put = (key) => (name) => ({ [key]: name, context: Math.min(f.get("context"), longest(chosen({ [key]: name }))) });

  const result = verdict(f);
  result.el.classList.add("kv-race-verdict");
  const totals = h("div", { class: "kv-race-totals" }), said = h("p", { class: "kv-race-said" });
  const played = h("div", { class: "kv-race-played" }), strips = h("div");
  f.body.append(totals, said, played, strips);
  f.controls.before(f.body);
  choice(f, "model", { label: "Model", put: put("model") });
  choice(f, "other", { label: "Against", names: { [NONE]: "none: one model alone" }, put: put("other") });
  choice(f, "dtype", { label: "Precision" });
  choice(f, "axes", { label: "Axes" });
  const source = h("div");
  f.controls.append(source);
  number(f, "source_len", { label: "Source", unit: "tokens", at: source, stops: [0, ...Array.from({ length: 21 }, (_, i) => 2 ** i)] });
  player(f, "context", { label: "Context", unit: "tokens", at: played, pace: 110, stops });
  for (const key of ["model", "other", "axes", "strips"]) model.on(`change:${key}`, () => { for (const show of f.follows) show(); });
  f.controls.after(paste(f));
  share(f, "layers");
  if (!f.live) el.addEventListener("kv-layout", ({ detail }) => offer(f, detail));

  // What does not depend on the context stays from one frame to the next.
  let race = {};
  function raced() {
    const names = chosen(), all = f.get("strips"), log = f.get("axes") === "logarithmic", last = longest(names), reach = Math.max(last, model.get("context"));
    const of = JSON.stringify([names, f.get("dtype"), f.get("source_len"), log, reach, f.width]);
    if (race.of === of && race.all === all) return race;
    const racers = names.map((name) => racer(name, all[name], f.get("dtypes")[f.get("dtype")], f.get("source_len")));
    const [a, b] = racers, runs = b ? order(a.total, b.total, [...a.bends, ...b.bends], last) : [];
    const sums = (n) => racers.map((r) => r.total(n)), sizes = (n) => racers.flatMap((r) => r.each(n));
    race = {
      of, all, racers, log, last, runs,
      bytes: byteAxis(sums(1), sums(reach), log),
      layer: byteAxis(sizes(1), sizes(reach), log),
      turns: runs.slice(1).map(([n, sign], i) => [n, a.total(n), sign === 0 ? "level from" : runs[i][1] ? "overtaking at" : "apart from"]),
      why: [b ? saidOrder(runs, names, last) : "", ...racers.filter((r) => r.ends !== null && r.ends < last)
        .map((r) => `${r.name} was made for ${many(r.ends, "token")}.`)].filter(Boolean).join(" "),
    };
    race.layers = racers.map((r) => layersOf(f, race, r));
    strips.replaceChildren(...racers.flatMap((r, i) => [
      h("p", { class: "kv-heading" }, `${r.name}: ${many(r.layers.length, "layer")}`), race.layers[i].el, kinds(f, r, words)]));
    return race;
  }

  function sentences({ racers }, context) {
    const [a, b] = racers, dtype = f.get("dtypes")[f.get("dtype")], source_len = f.get("source_len");
    const each = racers.flatMap((r) => {
      const { state, cross, total } = r.parts(context), whose = b ? `${r.name}'s` : "That";
      const full = layoutBytes(r.groups.map((g) => ({ ...g, window: null })), context, 1, dtype, source_len);
      return [
        r.ends !== null && context > r.ends ? `This is beyond the ${group(r.ends)} tokens ${b ? `${r.name} was` : "the model was"} made for: the hollow part of its bar.` : "",
        full > total ? `Without windows ${b ? whose : "it"} would be ${fmt(full)}.` : "",
        state ? `${whose} includes ${fmt(state)} of fixed state, whatever the context.` : "",
        r.one ? `${whose} includes ${fmt(cross)} of cross attention: ${fmt(r.one)} for each token of the other sequence, here ${group(source_len)}.` : ""];
    });
    return [b ? saidRatio([a.name, a.total(context)], [b.name, b.total(context)]) : "", ...each].filter(Boolean).join(" ");
  }

  f.draw(() => {
    const r = raced();
    said.textContent = sentences(r, f.get("context"));
    if (f.get("context") !== model.get("context")) return; // only the height of these sentences is asked
    const { racers } = r, context = f.get("context"), now = racers.map((one) => one.total(context));
    source.hidden = racers.every((one) => !one.one);
    const head = now.length > 1 ? `${fmt(now[0])} against ${fmt(now[1])}` : `${fmt(now[0])} at ${many(context, "token")}`;
    result.show(head, { why: r.why });
    f.say(`${racers.map((one, i) => `${one.name} ${fmt(now[i])}`).join(", ")} at ${many(context, "token")}. ${said.textContent} ${r.why}`);
    totals.replaceChildren(...racers.flatMap((one, i) => lane(f, r, one, now[i], context)), ...axis(r, f.width, context));
    for (const { show } of r.layers) show(context);
    f.table(`The layers at ${many(context, "token")}, ${f.get("dtype")}`, ["layer", "kind", "KV heads × head_dim", "tokens kept", "bytes"],
      racers.flatMap((one) => {
        const bytes = one.each(context);
        return one.layers.map((k, i) => [`${racers.length > 1 ? `${one.name}, ` : ""}${i}`, one.groups[k].kind === "shared" ? `reads layer ${one.shares[i]}'s` : name(one.groups[k], words),
          shape(one.groups[k]), group(tokensKept(one.groups[k], context)), group(bytes[k])]);
      }));
  }, { context: () => { // where the sentences are longest
    const size = new Map(stops().filter((_, i, all) => i % 4 === 0 || i === all.length - 1).map((n) => [n, sentences(raced(), n).length]));
    return [...size.keys()].sort((a, b) => size.get(b) - size.get(a)).slice(0, 3);
  } }, said);
}

const name = (g, words) => words[g.kind] + (g.window === null ? "" : ` of ${group(g.window)}`);
const shape = (g) => (g.v ? `${g.heads} × ${g.dim}${g.v === g.k ? "" : ` and ${g.v / g.heads}`}` : g.k ? `one vector of ${g.k}` : "–");

// ---- the totals

// One model's bar: its layers' kinds one after the other, and hollow what lies beyond the context it was made for.
function lane(f, { bytes, log, turns }, r, total, context) {
  const width = f.width - 2, px = (n) => 1 + width * bytes.at(n), within = Math.min(context, r.ends ?? context), height = 22;
  const each = r.each(within), roles = [...new Set(r.groups.map((g) => g.kind))], drawn = [];
  let sum = 0n;
  const part = (role, from, to) => boxes("kv-race-part", [[px(from), 2, Math.max(0, px(to) - px(from) - 1), height]], {
    fill: role ? texture(f, role) : "var(--kv-quiet)", style: `stroke: var(--kv-${role || "quiet"})`, "data-role": role || "all" });
  // On logarithmic axes lengths do not add up: one bar for all.
  if (log) drawn.push(part("", 0n, sum = r.total(within)));
  else {
    for (const role of roles) {
      const more = r.groups.reduce((n, g, i) => n + (g.kind === role ? each[i] * BigInt(g.layers) : 0n), 0n);
      if (more) drawn.push(part(role, sum, sum + more));
      sum += more;
    }
  }
  if (total > sum) drawn.push(svg("rect", { class: "kv-race-beyond", x: px(sum), y: 2, width: Math.max(0, px(total) - px(sum) - 1), height }));
  return [
    h("p", { class: "kv-race-name" }, `${r.name} `, h("strong", {}, fmt(total))),
    svg("svg", { class: "kv-race-lane", width: f.width, height: height + 4, viewBox: `0 0 ${f.width} ${height + 4}`, role: "img", "aria-label": `${r.name}: ${fmt(total)} of the ${fmt(bytes.ticks.at(-1))} that the axis reaches` },
      bytes.ticks.map((n) => svg("line", { class: n === bytes.ticks[0] ? "kv-axis" : "kv-grid", x1: px(n), x2: px(n), y1: 0, y2: height + 4 })), drawn,
      turns.map(([, n]) => svg("line", { class: "kv-limit", x1: px(n), x2: px(n), y1: 0, y2: height + 4 })))];
}

// The axis of the totals, and where their order turns: the last such place that was passed, or the first.
function axis({ bytes, turns, log }, wide, context) {
  const width = wide - 2, px = (n) => 1 + width * bytes.at(n), last = bytes.ticks.length - 1, crowded = width / last < 80;
  const seen = (i) => !crowded || i === 0 || i === last || (i % 2 === 0 && i < last - 1), height = turns.length ? 44 : 20, nodes = [];
  bytes.ticks.forEach((n, i) => seen(i) && nodes.push(svg("text", { x: px(n), y: 14, "text-anchor": i === 0 ? "start" : i === last ? "end" : "middle" }, fmt(n, null, 1))));
  const turn = turns.filter(([n]) => n <= context).at(-1) ?? turns[0];
  if (turn) {
    const [n, at, words] = turn, text = `${words} ${many(n, "token")}, ${fmt(at, null, 2)}`, half = text.length * 3.8;
    nodes.push(svg("line", { class: "kv-limit", x1: px(at), x2: px(at), y1: 18, y2: 26 }),
      svg("text", { class: "kv-name kv-race-turn", x: Math.min(wide - half, Math.max(half, px(at))), y: 40, "text-anchor": "middle" }, text));
  }
  return [svg("svg", { class: "kv-race-axis", width: wide, height, viewBox: `0 0 ${wide} ${height}`, "aria-hidden": "true" }, nodes),
    log ? h("p", { class: "kv-small kv-quiet" }, "Logarithmic axes: equal lengths are equal ratios, and no bar is a sum of others.") : ""];
}

// ---- the layers

// A bar for each layer over an axis of bytes, in as many rows as the width needs: { el, show(context) }.
function layersOf(f, { layer }, r) {
  const width = Math.min(f.width, 860), left = 66, room = width - left, narrow = width < 480, tall = narrow ? 64 : 84, high = tall + 28;
  const rows = Math.ceil(r.layers.length / Math.max(1, Math.floor(room / 11))), across = Math.ceil(r.layers.length / rows), step = Math.min(30, room / across);
  const axis = [], marks = [], count = layer.ticks.length, every = tall / count < 13 ? 2 : 1, height = rows * high;
  const x = (i) => left + (i % across) * step, base = (i) => Math.floor(i / across) * high + 8 + tall;
  for (let first = 0; first < r.layers.length; first += across) {
    const long = step * Math.min(across, r.layers.length - first);
    layer.ticks.forEach((n, i) => {
      const at = base(first) - tall * layer.at(n);
      axis.push(svg("line", { class: i ? "kv-grid" : "kv-axis", x1: left, x2: left + long, y1: at, y2: at }),
        (count - 1 - i) % every ? "" : svg("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, fmt(n, null, 1)));
    });
    if (first) marks.push(svg("text", { class: "kv-layer-letter", x: left - 6, y: base(first) + 15, "text-anchor": "end" }, `layer ${first}`));
  }
  r.layers.forEach((k, i) => marks.push(svg("text", { class: "kv-layer-letter", x: x(i) + step / 2 - 0.5, y: base(i) + 12, "text-anchor": "middle" }, LETTERS[r.groups[k].kind])));
  const bars = svg("g");
  const el = svg("svg", { class: "kv-race-layers", width, height, viewBox: `0 0 ${width} ${height}`, role: "img" }, axis, bars, marks);
  const show = (context) => {
    const each = r.each(context), heights = each.map((n) => (n ? Math.max(1, tall * layer.at(n)) : 0)); // something kept is seen
    // A layer that has stopped: its window is full, or it keeps no tokens at all.
    const stopped = r.groups.map((g) => g.k + g.v === 0 || (g.window !== null && context >= g.window));
    const drawn = r.groups.map(() => []), caps = [], highest = each.reduce((a, b) => (a > b ? a : b), 0n);
    r.layers.forEach((k, i) => {
      if (!heights[k]) return;
      drawn[k].push([x(i) + 1, base(i) - heights[k], step - 3, heights[k]]);
      if (stopped[k]) caps.push([x(i), base(i) - heights[k] - 2, step - 1, 2.5]);
    });
    bars.replaceChildren(...drawn.map((all, k) => boxes("kv-layer", all, { fill: texture(f, r.groups[k].kind), style: `stroke: var(--kv-${r.groups[k].kind})` })), boxes("kv-race-cap", caps));
    fill(el, { "aria-label": `${many(r.layers.length, "layer")} of ${r.name}; the highest bar is ${fmt(highest)}, of ${fmt(layer.ticks.at(-1))} that the axis reaches.` }, []);
  };
  return { el, show };
}

// The kinds of one model's layers, and what a layer of each keeps.
const kinds = (f, r, words) => legend(f, r.groups.map((g, i) => [g.kind, `${LETTERS[g.kind]}: ${name(g, words)}`, many(g.layers, "layer"), [
  r.token[i] ? `each ${fmt(r.token[i])} a token, ${g.v ? `${many(g.heads, "KV head")} of ${shape(g).split(" × ")[1]}` : shape(g)}` : "",
  g.state ? `each ${fmt(g.state)} of state` : "", g.cross ? `each ${fmt(sourceTokenBytes(g, f.get("dtypes")[f.get("dtype")]))} for a token of the other sequence` : "",
  r.reads[i].length ? `of layer${r.reads[i].length > 1 ? "s" : ""} ${r.reads[i].join(", ")}` : ""].filter(Boolean).join(", ")]));

// ---- a model of the reader's own

function offer(f, { name, strip }) {
  const list = f.get("limits").model, names = list.includes(name) ? list : [...list, name];
  f.put({ strips: { ...f.get("strips"), [name]: strip }, limits: { ...f.get("limits"), model: names, other: ["none", ...names] }, model: name });
}

// With a kernel, any config.json can be pasted: kvlib reads it, or says why it will not. A page may have a form for it.
function paste(f) {
  if (!f.live) {
    const form = document.getElementById("ask-config"), own = "a config.json of your own";
    return h("p", { class: "kv-small kv-quiet" }, form ? h("a", { href: "#ask-config" }, `Read ${own}`) : `Chapter 9 reads ${own} in its page.`);
  }
  const area = h("textarea", { id: newId(), spellcheck: "false" });
  const refusal = h("p", { class: "kv-notice", role: "status" });
  follow(f, "refusal", () => { refusal.textContent = f.get("refusal"); });
  return h("div", { class: "kv-paste" }, h("label", { for: area.id }, "Any model's config.json"), area,
    button("Read it", () => f.set("pasted", area.value)), refusal);
}
