// Paging: one stream of requests on one memory, reserved beside paged. kvlib.serving simulated every
// step; this file only draws them.

// A step of a packed run (see paging.py): who runs and what each has, who waits, the prefix if shared.
// null once the run is over. block_size is undefined for the reserved one.
function unfold(run, requests, step, block_size) {
  if (step >= run.used.length) return null;
  const running = [];
  const seen = new Map(requests.map((_, id) => [id, { here: false, last: -1, later: false }]));
  for (const [request, first, last, tokens, place] of run.stays) {
    const state = seen.get(request);
    if (first > step) { state.later = true; continue; }
    if (last < step) continue;
    state.here = true;
    const now = tokens + step - first;
    running.push({ request, tokens: now, place: block_size ? place.slice(0, Math.ceil(now / block_size)) : place });
  }
  const waiting = requests.map((_, id) => id)
    .filter((id) => requests[id][0] <= step && !seen.get(id).here && seen.get(id).later);
  const [first, last, tokens, place] = run.prefix ?? [1, 0];
  const prefix = first <= step && step <= last ? { tokens, place } : null;
  return { running, waiting, prefix, used: run.used[step], taken: run.taken[step] };
}

const letter = (id) => (id < 26 ? String.fromCharCode(65 + id) : String(id));
const hue = (id) => `--hue: var(--kv-${["blue", "red", "teal", "plum"][id % 4]})`;
const percent = (a, b) => (b ? `${fixed((100 * a) / b, 0)} %` : "–");

function render({ model, el }) {
  const f = figure(el, model);
  const { memory, requests, runs } = f.get("data");
  const columns = 32;
  const paged = () => runs[`${f.get("block_size")}${f.get("share_prefix") ? "+" : ""}`];

  player(f, "step", { label: "Step", pace: 300 });
  choice(f, "block_size", { label: "Block size", names: Object.fromEntries(f.get("limits").block_size.map((n) => [n, `${n} tokens`])) });
  choice(f, "request", { label: "Request", names: requests.map(([arrival, prompt, more], id) =>
    `${letter(id)}: ${prompt} + ${more} tokens, from step ${arrival}`) });
  if (f.get("limits").share_prefix) checkbox(f, "share_prefix", { label: "Share the system prompt" });

  const sides = { reserved: side(f, "Reserved"), paged: side(f, "Paged") };
  const chosen = h("p", { class: "kv-heading" });
  const place = h("p", { class: "kv-small" });
  const blocks = h("ol", { class: "kv-blocks" });
  const time = h("div", { class: "kv-time" });
  f.body.append(h("div", { class: "kv-sides" }, sides.reserved.el, sides.paged.el), chosen, place, blocks, time);
  share(f, "paging");
  let drawn = "";
  let cursors = [];

  f.draw(() => {
    const step = f.get("step"), size = f.get("block_size"), mine = f.get("request");
    const left = unfold(runs.reserved, requests, step), right = unfold(paged(), requests, step, size);
    const width = sides.reserved.el.clientWidth || 320; // read before anything changes, so that the browser lays the page out once
    sides.reserved.show(left, runs.reserved, drawSpans(left, memory, columns, width, mine));
    sides.paged.show(right, paged(), drawBlocks(right, memory, columns, width, mine, size));

    chosen.textContent = `Request ${letter(mine)}: its block table`;
    const has = right?.running.find((r) => r.request === mine);
    const span = left?.running.find((r) => r.request === mine);
    place.textContent = `Paged: ${has ? `${has.tokens} tokens in ${has.place.length} blocks.` : status(right, mine) + "."} ` +
      `Reserved: ${span ? `slots ${span.place[0]} to ${span.place[0] + span.place[1] - 1}, of which ${span.tokens} hold a token.` : status(left, mine) + "."}`;
    blocks.replaceChildren(...(has?.place ?? []).map((block, i) => {
      const both = right.prefix?.place.includes(block);
      return h("li", { class: both ? "kv-both" : undefined }, `${i} → ${block} `,
        h("span", { class: "kv-quiet" }, `${Math.min(size, has.tokens - i * size)}/${size}${both ? " shared" : ""}`));
    }));

    const key = `${size}${f.get("share_prefix")}${f.width}`;
    if (drawn !== key) {
      cursors = drawTime(time, runs, paged(), requests, Math.min(f.width, 860));
      drawn = key;
    }
    for (const move of cursors) move(step);

    const words = (name, frame) => frame ? `${name}: ${frame.running.length} running, ${frame.waiting.length} waiting, ` +
      `${percent(frame.used, frame.taken)} of the slots taken hold a token.` : `${name}: all done.`;
    f.say(`Step ${step}. ${words("Reserved", left)} ${words("Paged", right)}`);
    f.table(`Every request at step ${step}`,
      ["request", "arrives", "prompt + new", "reserved", "slots", "paged", "block table"],
      requests.map(([arrival, prompt, more], id) => {
        const a = left?.running.find((r) => r.request === id), b = right?.running.find((r) => r.request === id);
        const says = (frame, r) => (r ? `runs, ${r.tokens} tokens` : status(frame, id));
        return [letter(id), arrival, `${prompt} + ${more}`, says(left, a), a ? `${a.place[0]} to ${a.place[0] + a.place[1] - 1}` : "–",
          says(right, b), b ? b.place.join(" ") : "–"];
      }));
  }, { step: tallest });

  // The steps at which the text takes most room: a request has most blocks at the end of a stay, and the queue
  // is longest somewhere in the middle.
  function tallest() {
    const ends = paged().stays.filter(([request]) => request === f.get("request")).map(([, , last]) => last);
    const longest = [runs.reserved, paged()].map((run) => run.used.reduce((best, _, step) => {
      const waiting = unfold(run, requests, step).waiting.length;
      return waiting > best[0] ? [waiting, step] : best;
    }, [0, 0])[1]);
    return [...ends, ...longest];
  }

  function status(frame, id) {
    if (!frame) return "done";
    if (frame.waiting.includes(id)) return "waits";
    return requests[id][0] > f.get("step") ? "not yet arrived" : "done";
  }
}

// One allocation's half of the figure: its numbers, its queue, its memory.
function side(f, name) {
  const head = h("p", { class: "kv-heading" }), numbers = h("p", { class: "kv-small" });
  const queue = h("p", { class: "kv-queue" }), drawing = h("div");
  drawing.addEventListener("click", (event) => {
    const id = event.target.closest("[data-request]")?.dataset.request;
    if (id !== undefined) f.set("request", Number(id));
  });
  const el = h("div", { class: "kv-side" }, head, numbers, drawing, queue);
  const show = (frame, run, picture) => {
    const { steps, peak_running } = run.summary;
    head.textContent = frame ? `${name}: ${frame.running.length} running` : `${name}: done after ${steps} steps`;
    numbers.textContent = frame ? `${frame.used} tokens in ${frame.taken} slots taken: ${percent(frame.used, frame.taken)}` :
      `At most ${peak_running} at once`;
    queue.textContent = frame?.waiting.length ? `Waiting: ${frame.waiting.map(letter).join(" ")}` : "Nobody waits";
    drawing.replaceChildren(picture);
  };
  return { el, show };
}

const ROW = 17;

// The slots from..from+n of request `id` as rectangles, row by row: (x, y, width) each.
function pieces(from, n, columns, cell) {
  const out = [];
  for (let at = from; at < from + n;) {
    const row = Math.floor(at / columns), end = Math.min(from + n, (row + 1) * columns);
    out.push([(at % columns) * cell, row * ROW, (end - at) * cell]);
    at = end;
  }
  return out;
}

function memorySvg(memory, columns, width, alt, parts) {
  const height = Math.ceil(memory / columns) * ROW;
  return svg("svg", { width, height: height + 2, viewBox: `-1 -1 ${width} ${height + 2}`, role: "img", "aria-label": alt }, parts);
}

function lettered(text, x, y, filled) {
  const beside = filled < 13;
  return svg("text", { class: beside ? "kv-letter kv-beside" : "kv-letter", x: beside ? x + filled + 3 : x + filled / 2, y: y + 12,
    "text-anchor": beside ? "start" : "middle" }, text);
}

const slots = (kind, all) => boxes(kind, all.map(([x, y, width]) => [x + 0.5, y + 0.5, Math.max(0, width - 2), ROW - 3]));

function drawSpans(frame, memory, columns, width, mine) {
  const cell = (width - 2) / columns;
  const parts = [slots("kv-slots", pieces(0, memory, columns, cell))];
  for (const { request, tokens, place: [start, size] } of frame?.running ?? []) {
    const all = pieces(start, size, columns, cell), used = pieces(start, tokens, columns, cell);
    parts.push(svg("g", { style: hue(request), "data-request": request }, slots("kv-taken", all), slots("kv-used", used),
      used.map(([x, y, wide]) => lettered(letter(request), x, y, Math.min(wide, 2 * ROW))),
      request === mine ? slots("kv-mine", all) : null));
  }
  return memorySvg(memory, columns, width, `Memory of ${memory} slots: ${frame?.running.length ?? 0} reserved runs.`, parts);
}

function drawBlocks(frame, memory, columns, width, mine, size) {
  const cell = (width - 2) / columns;
  const at = (block) => pieces(block * size, size, columns, cell)[0];
  const shared = new Set(frame?.prefix?.place ?? []);
  const table = frame?.running.find((r) => r.request === mine)?.place ?? [];
  // The blocks of one owner: [block, tokens in it] each.
  const owned = (blocks, name, attributes) => {
    const filled = blocks.map(([block, tokens]) => { const [x, y] = at(block); return [x, y, cell * tokens]; });
    return svg("g", attributes, slots("kv-taken", blocks.map(([block]) => at(block))), slots("kv-used", filled),
      filled.map(([x, y, wide]) => lettered(name, x, y, Math.min(wide, 2 * ROW))));
  };
  const fill = (tokens, i) => Math.min(size, tokens - i * size);
  const parts = [slots("kv-slots", Array.from({ length: memory / size }, (_, block) => at(block)))];
  for (const { request, tokens, place } of frame?.running ?? []) {
    const own = place.map((block, i) => [block, fill(tokens, i)]).filter(([block]) => !shared.has(block));
    parts.push(owned(own, letter(request), { style: hue(request), "data-request": request }));
  }
  parts.push(owned([...shared].map((block, i) => [block, fill(frame.prefix.tokens, i)]), "S", { style: "--hue: var(--kv-quiet)" }),
    slots("kv-mine", table.map(at)));
  return memorySvg(memory, columns, width, `Memory of ${memory / size} blocks of ${size} slots` +
    `${shared.size ? "; those marked S hold the shared system prompt" : ""}.`, parts);
}

// When each request waits and runs, and under it the utilisation; one time axis. Returns what moves the cursors.
function drawTime(at, runs, paged, requests, width) {
  const left = 62, right = 14, row = 15; // as in chart()
  const last = Math.max(...Object.values(runs).map((run) => run.used.length)) - 1;
  const px = (step) => left + (step / last) * (width - left - right);
  const bars = requests.map(([arrival], id) => {
    const y = id * row;
    const of = (run, kind, top) => {
      const stays = run.stays.filter(([request]) => request === id);
      let free = arrival;
      return stays.map(([, first, end]) => {
        const parts = [svg("line", { class: "kv-waits", x1: px(free), x2: px(first), y1: top + 2.5, y2: top + 2.5 }),
          svg("rect", { class: kind, x: px(first), y: top, width: px(end + 1) - px(first), height: 5 })];
        free = end + 1;
        return parts;
      });
    };
    return svg("g", { style: hue(id) }, svg("text", { x: left - 8, y: y + 12, "text-anchor": "end" }, letter(id)),
      of(runs.reserved, "kv-reserved", y + 1), of(paged, "kv-paged", y + 8));
  });
  const high = requests.length * row + 4;
  const gantt = svg("svg", { width, height: high, viewBox: `0 0 ${width} ${high}`, role: "img",
    "aria-label": `When each request waits and runs: reserved, all are done after ${runs.reserved.used.length} steps; paged, after ${paged.used.length}.` }, bars);
  const filled = (run) => run.used.map((used, step) => [step, run.taken[step] ? (100 * used) / run.taken[step] : 0]);
  const whole = ({ summary }) => fixed(100 * summary.utilization, 0);
  const lines = chart(width, 190, {
    x: { min: 0, max: last, label: "step", ticks: [0, 0.25, 0.5, 0.75].map((part) => [Math.round(part * last), Math.round(part * last)]) },
    y: { min: 0, max: 100, label: "", ticks: [0, 25, 50, 75, 100].map((n) => [n, n]) },
    series: [{ points: filled(runs.reserved), color: "reserved", dash: "5 4" }, { points: filled(paged), color: "paged" }],
    alt: `Over the whole run ${whole(runs.reserved)} % of the slots taken hold a token when reserved, ${whole(paged)} % when paged.`,
  });
  const key = h("p", { class: "kv-small" }, `Hollow bars and dashed line: reserved, ${whole(runs.reserved)} % over the whole run. ` +
    `Solid bars and line: paged, ${whole(paged)} %. Dotted: waiting.`);
  at.replaceChildren(h("p", { class: "kv-heading" }, "When each request waits and runs"), gantt,
    h("p", { class: "kv-heading" }, "Of the slots taken, % that hold a token"), lines, key);
  return [[gantt, 0, high], [lines, 12, 150]].map(([on, y1, y2]) => {
    const line = svg("line", { class: "kv-line-time", y1, y2 });
    on.append(line);
    return (step) => { line.setAttribute("x1", px(step)); line.setAttribute("x2", px(step)); };
  });
}
