// Batching: one stream under three policies, their lanes one above the other on one axis of time. batching.model.js
// serves it; this file draws it and says what happens in a step of the policy that is followed.

const TITLES = { static: "Static batching", "prefill first": "Prefill first", chunked: "Chunked prefill" };
const KINDS = { waits: "waits for its prompt", prefill: "prompt is computed", decode: "a token of the answer",
  pause: "a pause in the answer", empty: "done, its place stays empty" };
const letter = (place) => String.fromCharCode(65 + place);
const names = (places) => {
  const all = places.map(letter);
  return all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${all.at(-1)}` : all.join("");
};

function render({ model, el }) {
  const f = figure(el, model), { costs: facts, streams } = f.get("data"), policies = f.get("limits").policy;
  const costs = costsOf(facts, f.get("dtypes")[facts.dtype]);
  // Everything that is served, once for each setting.
  let known = null;
  const all = () => {
    const of = ["stream", "rate", "token_budget"].map(f.get), name = of.join();
    if (known?.name === name) return known;
    const stream = streams[of[0]].map(([at, prompt, more]) => ({ at: at / of[1], prompt, new: more, cached: 0 }));
    const runs = Object.fromEntries(policies.map((policy) => {
      const run = serve(stream, costs, policy, { token_budget: of[2] });
      return [policy, { ...run, ...lives(run), summary: summary(run) }];
    }));
    known = { name, runs, end: Math.max(...policies.map((policy) => endOf(runs[policy].steps.at(-1)))) };
    return known;
  };
  // A stop in each step, and one when all are done.
  const stops = (policy = f.get("policy")) => [0, ...all().runs[policy].steps.map((step) => Math.floor(1000 * endOf(step))), Math.ceil(1000 * all().end)];

  const played = h("div", { class: "kv-batching-played" });
  f.controls.before(played, f.body);
  player(f, "time", { label: "Time", unit: "ms", pace: 110, stops: () => stops(), at: played });
  choice(f, "policy", { label: "Follow", at: played, names: { static: "Static", "prefill first": "Prefill first", chunked: "Chunked" } });
  number(f, "token_budget", { label: "Token budget", unit: "tokens", stops: Array.from({ length: 13 }, (_, i) => Math.round(2 ** (7 + i / 2))) });
  number(f, "rate", { label: "Requests a second", stops: [8, 12, 16, 24, 32, 48, 64] });
  choice(f, "stream", { label: "Requests" });
  for (const key of ["policy", "stream", "rate", "token_budget"]) model.on(`change:${key}`, () => { for (const show of f.follows) show(); });

  const said = h("p", { class: "kv-batching-said" }), now = h("div");
  const parts = Object.fromEntries(policies.map((policy) => [policy, lanes(f, policy, (ms) => {
    const near = stops(policy).reduce((a, b) => (Math.abs(b - ms) < Math.abs(a - ms) ? b : a));
    f.put({ policy, time: near });
  })]));
  f.body.append(said, ...policies.map((policy) => parts[policy].el),
    h("ul", { class: "kv-legend kv-batching-key" }, Object.entries(KINDS).map(([kind, text]) => h("li", {}, sample(f, kind), text))), now);
  share(f, "batching");

  // Who is where at a time in ms.
  function at(run, ms) {
    const { i, over } = stepAt(run, ms), inside = over ? [] : run.steps[i].inside;
    const waiting = run.served.map((_, place) => place).filter((place) => 1000 * run.served[place].request.at <= ms && run.first[place] > i);
    return { i, over, step: over ? null : run.steps[i], inside, waiting, tokens: inside.reduce((sum, [, n]) => sum + n, 0),
      bytes: inside.reduce((sum, [, n]) => sum + costs.bytes(n), 0) };
  }

  function sentences(run, ms) {
    const { i, over, step, inside, waiting } = at(run, ms), of = (place) => run.served[place].request;
    if (over) {
      const next = run.served.findIndex(({ request }) => 1000 * request.at > ms);
      return next < 0 ? `All are done after ${fmtSeconds(endOf(run.steps.at(-1)))}.` : `Nobody is inside. ${letter(next)} comes at ${fmtSeconds(of(next).at)}.`;
    }
    const held = new Map(inside), past = new Set([...step.prompts.map(([place]) => place), ...step.decoding]);
    const idle = inside.map(([place]) => place).filter((place) => !past.has(place));
    const paused = idle.filter((place) => held.get(place) >= of(place).prompt), later = idle.filter((place) => !paused.includes(place));
    const work = [];
    if (step.decoding.length) work.push(`${step.decoding.length > 1 ? "a token each" : "a token"} for ${names(step.decoding)}`);
    for (const [place, n] of step.prompts) {
      const whole = of(place).prompt, done = Math.min(whole, held.get(place));
      work.push(n === whole ? `the prompt of ${letter(place)}, ${many(n, "token")}` : `${many(n, "token")} of the prompt of ${letter(place)}, ${group(done)} of ${group(whole)} are then there`);
    }
    const gone = run.policy === "static" ? run.served.map((_, place) => place).filter((place) => run.last[place] < i && run.first[place] === run.first[inside[0][0]]) : [];
    return [`Step ${i + 1} of ${run.steps.length}: ${fmtSeconds(step.reading)} of reading, ${fmtSeconds(step.computing)} of arithmetic; it lasts the longer of the two.`,
      `It computes ${work.join("; ")}.`,
      paused.length ? `${names(paused)} ${paused.length > 1 ? "pause in their answers" : "pauses in its answer"}.` : "",
      later.length ? `The prompt${later.length > 1 ? "s" : ""} of ${names(later)} must wait.` : "",
      gone.length ? `${names(gone)} ${gone.length > 1 ? "are done, and their places stay" : "is done, and its place stays"} empty.` : "",
      waiting.length ? `${names(waiting)} ${waiting.length > 1 ? "wait" : "waits"} outside.` : ""].filter(Boolean).join(" ");
  }

  // The times of the longest sentences, by which their room is kept.
  const longest = () => {
    const run = all().runs[f.get("policy")], length = new Map(stops().map((ms) => [ms, sentences(run, ms).length]));
    return [...length.keys()].sort((a, b) => length.get(b) - length.get(a)).slice(0, 3);
  };

  f.draw(() => {
    const { runs, end } = all(), policy = f.get("policy"), ms = f.get("time"), run = runs[policy], text = sentences(run, ms);
    said.textContent = text;
    if (ms !== model.get("time")) return; // only the height of these sentences is asked
    for (const name of policies) parts[name].show(runs[name], ms, end, name === policy);
    const rows = policies.map((name) => [name, at(runs[name], ms)]), here = at(run, ms);
    now.replaceChildren(h("table", { class: "kv-batching-now" }, h("caption", {}, `At ${group(ms)} ms, with the step under way`),
      h("thead", {}, h("tr", {}, ["policy", "inside", "waiting", "tokens held", "cache"].map((words) => h("th", { scope: "col" }, words)))),
      h("tbody", {}, rows.map(([name, n]) => h("tr", name === policy ? { class: "kv-chosen" } : {}, h("th", { scope: "row" }, name),
        [n.inside.length, n.waiting.length, group(n.tokens), fmt(n.bytes, "GiB", 2)].map((cell) => h("td", {}, cell)))))));
    const { ttft: first, tpot: more, stall: pause } = run.summary;
    f.say(`${TITLES[policy]}, ${group(ms)} ms. ${text} Over the whole run: TTFT ${fmtSeconds(first)}, TPOT ${fmtSeconds(more)}, longest pause ${fmtSeconds(pause)}.`);
    f.table(`${TITLES[policy]}: every request, and where it is at ${group(ms)} ms`,
      ["request", "arrives", "prompt", "answer", "TTFT", "TPOT", "longest pause", "now"], run.served.map((s, place) => [letter(place), fmtSeconds(s.request.at), s.request.prompt,
        s.request.new, fmtSeconds(ttft(s)), fmtSeconds(tpot(s)), fmtSeconds(stall(s)), state(run, place, here, ms)]));
  }, { time: longest }, said);
}

function state(run, place, { i, over, step }, ms) {
  const { request } = run.served[place], held = over ? undefined : step.inside.find(([other]) => other === place)?.[1];
  if (held === undefined) return run.first[place] <= i ? "done" : 1000 * request.at > ms ? "not yet there" : "waits outside";
  return held < request.prompt ? `prompt, ${group(held)} of ${group(request.prompt)} done` : `answer, ${held - request.prompt + 1} of ${request.new}`;
}

// ---- the drawing

const LEFT = 20; // of the letters

// The marks of pieces, [x, y, width, height, kind] each: what differs in kind differs in its form.
function marks(f, pieces, later = "") {
  const by = (kind) => pieces.filter((piece) => piece[4] === kind);
  const one = (kind, of, attributes) => (of.length ? boxes(`kv-batching-${kind}${later}`, of, attributes) : null);
  const waits = by("waits");
  return [
    waits.length ? svg("path", { class: `kv-batching-waits${later}`, d: waits.map(([x, y, w, high]) => `M${x.toFixed(1)} ${(y + high / 2).toFixed(1)}h${w.toFixed(1)}`).join("") }) : null,
    one("empty", by("empty").map(([x, y, w, high]) => [x + Math.min(1, w / 4), y + 1, w - Math.min(2, w / 2), high - 2])),
    one("pause", by("pause"), { fill: texture(f, "pause") }),
    one("prefill", by("prefill").map(([x, y, w, high]) => [x, y, Math.max(0.8, w - 0.8), high])),
    one("decode", by("decode").map(([x, y, w, high]) => [x, y + high * 0.22, Math.max(0.8, w - Math.min(1, 0.3 * w)), high * 0.56])),
  ].filter(Boolean);
}

const sample = (f, kind) => svg("svg", { width: 34, height: 14, "aria-hidden": "true", class: "kv-swatch kv-batching-sample" },
  marks(f, kind === "decode" ? [0, 1, 2, 3, 4, 5].map((i) => [1 + i * 5.4, 1, 5.4, 12, kind]) : [[1, 1, 32, 12, kind]]));

function lanes(f, policy, go) {
  const heading = h("p", { class: "kv-batching-name" }), stage = h("div");
  const el = h("div", { class: "kv-batching-run" }, heading, stage);
  let px = (s) => s, back = (x) => x;
  stage.addEventListener("click", (event) => go(back(event.clientX - stage.getBoundingClientRect().left)));

  function show(run, ms, end, followed) {
    const width = f.width, pitch = followed ? 15 : 9, high = followed ? 12 : 7, tall = run.served.length * pitch, foot = policy === "chunked" ? 34 : 2;
    px = (s) => LEFT + (s / end) * (width - LEFT - 2);
    back = (x) => (1000 * end * (x - LEFT)) / (width - LEFT - 2);
    const { ttft: first, tpot: more, stall: pause } = run.summary, t = ms / 1000, { i, over } = stepAt(run, ms);
    heading.replaceChildren(h("strong", {}, TITLES[policy]), h("span", { class: "kv-small kv-quiet" }, ` TTFT ${fmtSeconds(first)}, TPOT ${fmtSeconds(more)}, longest pause ${fmtSeconds(pause)}`));
    el.classList.toggle("kv-chosen", followed);
    const seen = [], later = [];
    for (const [place, life] of run.all.entries()) {
      const y = place * pitch + 1;
      for (const { kind, from, to } of life) {
        const piece = (a, b) => [px(a), y, px(b) - px(a), high, kind];
        // A step that is under way is shown whole; what goes on over many is cut where the time is.
        if (to <= t || (from < t && (kind === "prefill" || kind === "decode"))) seen.push(piece(from, to));
        else if (from >= t) later.push(piece(from, to));
        else { seen.push(piece(from, t)); later.push(piece(t, to)); }
      }
    }
    const ticks = [], each = [50, 100, 200, 500].find((n) => 1000 * end / n <= (width < 500 ? 4 : 9)) ?? 1000;
    for (let n = 0; n < 1000 * end; n += each) ticks.push(n);
    const told = { waits: 0, prefill: 0, decode: 0, pause: 0, empty: 0 };
    for (const life of run.all) for (const { kind, from, to } of life) if (from < t && t <= to) told[kind]++;
    const says = Object.entries(told).filter(([, n]) => n).map(([kind, n]) => `${n}: ${KINDS[kind]}`).join(", ");
    stage.replaceChildren(svg("svg", { width, height: tall + foot, viewBox: `0 0 ${width} ${tall + foot}`, role: "img", "data-policy": policy,
      "aria-label": `${TITLES[policy]}, lanes of ${run.served.length} requests, all done after ${fmtSeconds(endOf(run.steps.at(-1)))}. At ${group(ms)} ms ${says || "nobody is here"}.` },
    ticks.map((n) => svg("line", { class: "kv-grid", x1: px(n / 1000), x2: px(n / 1000), y1: 0, y2: tall })),
    marks(f, later, " kv-batching-later"), marks(f, seen),
    followed ? run.all.map((_, place) => svg("text", { class: "kv-batching-letter", x: LEFT - 6, y: place * pitch + 12, "text-anchor": "end" }, letter(place))) : [],
    followed && !over ? svg("rect", { class: "kv-batching-step", x: px(run.steps[i].at) - 1, y: -1, width: px(endOf(run.steps[i])) - px(run.steps[i].at) + 2, height: tall + 1 }) : null,
    svg("line", { class: "kv-batching-cursor", x1: px(Math.min(t, end)), x2: px(Math.min(t, end)), y1: 0, y2: tall }),
    foot < 10 ? [] : [svg("line", { class: "kv-axis", x1: LEFT, x2: width - 2, y1: tall + 1, y2: tall + 1 }),
      ticks.map((n) => svg("text", { x: px(n / 1000), y: tall + 17, "text-anchor": "middle" }, n)),
      svg("text", { class: "kv-axis-label", x: width - 2, y: tall + 31, "text-anchor": "end" }, "ms since the start")]));
  }
  return { el, show };
}
