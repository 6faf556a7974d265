// One allocation's half of Paging: the tokens of a request, the table that says where they lie, the memory.

const COLUMNS = 32, ENTRIES = 8; // slots in a row of the memory, entries in a row of a table
const ROW = 17, ENTRY = 20; // the heights of these rows

// The slots from..from+n as rectangles, row by row: [x, y, width] each.
function pieces(from, n, cell, top) {
  const out = [];
  for (let at = from; at < from + n;) {
    const row = Math.floor(at / COLUMNS), end = Math.min(from + n, (row + 1) * COLUMNS);
    out.push([(at % COLUMNS) * cell, top + row * ROW, (end - at) * cell]);
    at = end;
  }
  return out;
}
const slots = (kind, all, attributes) => boxes(kind, all.map(([x, y, width]) => [x + 0.5, y + 0.5, Math.max(0, width - 2), ROW - 3]), attributes);

// A name on what is filled, or beside it where that is too narrow.
function lettered(text, [x, y, filled]) {
  const beside = filled < 7 * text.length + 6;
  return svg("text", { class: beside ? "kv-letter kv-beside" : "kv-letter", x: beside ? x + filled + 2 : x + Math.min(filled, 2 * ROW + 7 * text.length) / 2, y: y + 12,
    "text-anchor": beside ? "start" : "middle" }, text);
}

// An arrow, [x, y] to [x, y], that can be told from what it crosses.
function arrow(kind, [x1, y1], [x2, y2]) {
  const turn = (by) => { const a = Math.atan2(y1 - y2, x1 - x2) + by; return `${(x2 + 7 * Math.cos(a)).toFixed(1)} ${(y2 + 7 * Math.sin(a)).toFixed(1)}`; };
  const d = `M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}M${turn(0.45)}L${x2.toFixed(1)} ${y2.toFixed(1)}L${turn(-0.45)}`;
  return [svg("path", { class: "kv-paging-halo", d }), svg("path", { class: kind, d })];
}

function side(f, kind, point) {
  const head = h("p", { class: "kv-heading" }), key = h("ul", { class: "kv-paging-key" }), queue = h("p", { class: "kv-queue" });
  const picture = svg("svg", { role: "img" });
  const set = (token) => { const last = (shown.mine?.tokens ?? 0) - 1; if (last >= 0) f.set("token", Math.min(last, Math.max(0, token))); };
  const pad = h("div", { class: "kv-paging-pad", ...(kind === "paged" ? { role: "slider", tabindex: 0 } : {}), onkeydown: (event) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: shown.size, PageDown: -shown.size, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || kind !== "paged") return;
    event.preventDefault();
    set(shown.token + by);
  } });
  // The place under a pointer, counted from `top` of the drawing; null outside.
  const place = (event, top) => {
    const box = picture.getBoundingClientRect(), column = Math.floor((event.clientX - box.left - 1) / shown.cell), row = Math.floor((event.clientY - box.top - top) / ROW);
    return row >= 0 && column >= 0 && column < COLUMNS ? row * COLUMNS + column : null;
  };
  const tokenAt = (event) => { const token = place(event, shown.top.tokens); return token !== null && token < (shown.mine?.tokens ?? 0) ? token : null; };
  pad.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse") point(tokenAt(event)); });
  pad.addEventListener("pointerleave", () => point(null));
  pad.addEventListener("click", (event) => { const token = tokenAt(event); if (token !== null) set(token); });
  picture.addEventListener("click", (event) => {
    const slot = place(event, shown.top.memory);
    // Of a shared block's owners the request that is shown comes first.
    const all = [...(shown.frame?.running ?? [])].sort((a, b) => (b.request === shown.id) - (a.request === shown.id));
    for (const r of slot === null ? [] : all) {
      const part = partsOf(r, 0).find(([, from, size]) => slot >= from && slot < from + size);
      if (part) return f.put({ request: r.request, token: Math.min(r.tokens - 1, part[0] + slot - part[1]) });
    }
  });
  const el = h("div", { class: `kv-side kv-paging-${kind}` }, head, key, h("div", { class: "kv-paging-stage" }, picture, pad), queue);
  let shown = {};

  // What a request has: [first token, first slot, slots, tokens in them, tokens to come] for each run of slots.
  function partsOf({ tokens, start, size: run, blocks }, final) {
    if (start !== null) return [[0, start, run, tokens, final - tokens]];
    const { size } = shown;
    return blocks.map((block, i) => { const used = Math.min(size, tokens - i * size); return [i * size, block * size, size, used, Math.min(size, final - i * size) - used]; });
  }

  function show(given) {
    const { frame, frames, stream, id, token, width, longest, memory, size, entries } = given, cell = (width - 2) / COLUMNS;
    const rows = Math.ceil(longest / COLUMNS), top = { tokens: 20 };
    top.table = top.tokens + rows * ROW + 22;
    top.memory = top.table + entries * ENTRY + 24;
    const high = top.memory + Math.ceil(memory / COLUMNS) * ROW + 2, mine = frame?.running.find((r) => r.request === id), stepped = frame && frame.step === shown.frame?.step + 1;
    shown = { ...given, cell, top, mine };
    const final = (id) => stream[id].prompt + stream[id].more, block = (n) => pieces(n * size, size, cell, top.memory);
    const taken = (parts, from, name, attributes) => {
      const all = (start, n) => parts.flatMap((part) => pieces(part[from] + start(part), n(part), cell, from ? top.memory : top.tokens));
      const used = all(() => 0, (part) => part[3]);
      return svg("g", attributes, slots("kv-taken", all(() => 0, (part) => (from ? part[2] : Math.min(part[2], rows * COLUMNS)))),
        slots("kv-come", all((part) => part[3], (part) => part[4]), { fill: texture(f, kind) }), slots("kv-used", used),
        name ? used.map((piece) => lettered(name, piece)) : null);
    };
    const at = (n, y) => [((n % COLUMNS) + 0.5) * cell, y + (Math.floor(n / COLUMNS) + 0.5) * ROW];
    const label = (y, text) => svg("text", { class: "kv-paging-label", x: 0, y }, text);
    const labels = [label(top.tokens - 7, `Tokens of ${letter(id)}: ${mine ? mine.tokens : "none stored here"}`),
      label(top.table - 7, size ? "Its block table: entry → block" : "No table: one start is enough"),
      label(top.memory - 7, size ? `Memory: ${memory / size} blocks of ${size} slots` : `Memory: ${memory} slots`)];
    const nodes = [slots("kv-slots", size ? Array.from({ length: Math.floor(memory / size) }, (_, n) => block(n)[0]) : pieces(0, memory, cell, top.memory))];
    // A block that several own is drawn once, with the number of its owners.
    const shared = new Map((frame?.prefix ? partsOf(frame.prefix, frame.prefix.tokens) : []).map((part) => [part[1], part]));
    for (const r of frame?.running ?? []) {
      nodes.push(taken(partsOf(r, final(r.request)).filter((part) => !shared.has(part[1])), 1, letter(r.request), { "data-request": r.request }));
    }
    for (const part of shared.values()) {
      const owners = `×${frame.refs[part[1] / size]}`;
      nodes.push(taken([part], 1, cell * part[3] < 60 ? owners : `system ${owners}`, { class: "kv-paging-shared" }));
    }
    if (mine) {
      const parts = partsOf(mine, final(id));
      const all = parts.flatMap((part) => pieces(part[1], part[2], cell, top.memory));
      nodes.push(taken(parts, 0, "", { class: "kv-paging-own" }), slots("kv-paging-halo", all), slots("kv-mine", all));
      const wide = size ? (width - 2) / ENTRIES : 110, box = (i) => [(i % ENTRIES) * wide, top.table + Math.floor(i / ENTRIES) * ENTRY];
      const now = size ? Math.floor(token / size) : 0;
      for (const [i, part] of parts.entries()) {
        const [x, y] = box(i), several = size && frame.refs[mine.blocks[i]] > 1;
        nodes.push(svg("g", { class: `kv-paging-entry${several ? " kv-paging-several" : ""}${i === now && token < mine.tokens ? " kv-paging-now" : ""}` },
          svg("rect", { x: x + 1, y: y + 1, width: wide - 3, height: ENTRY - 3 }),
          svg("text", { x: x + wide / 2, y: y + 14, "text-anchor": "middle", class: wide < 48 ? "kv-paging-narrow" : null }, size ? `${i}→${part[1] / size}` : `starts at ${mine.start}`)));
      }
      if (token < mine.tokens) {
        const part = parts[now], slot = part[1] + token - part[0], [x, y] = box(now), [tx, ty] = at(token, top.tokens), [sx, sy] = at(slot, top.memory);
        nodes.push(boxes("kv-paging-point", [[tx - cell / 2, ty - ROW / 2, cell, ROW - 2], [sx - cell / 2, sy - ROW / 2, cell, ROW - 2]]),
          arrow("kv-paging-arrow", [tx, ty + ROW / 2], [x + wide / 2, y + 1]), arrow("kv-paging-arrow", [x + wide / 2, y + ENTRY - 2], [sx, sy - ROW / 2]));
      }
    }
    // What was thrown out lay here; what is copied moves from the shared block into a block of its own.
    for (const { request } of frame?.preempted ?? []) {
      const lost = frames[frame.step - 1].running.find((r) => r.request === request).blocks.filter((n) => frame.refs[n] === 0);
      nodes.push(slots("kv-paging-thrown", lost.flatMap(block)), lost.map((n) => lettered(`${letter(request)} ✕`, [...block(n)[0].slice(0, 2), 0])));
    }
    for (const { request, source, target, tokens } of frame?.copied ?? []) {
      const [[x1, y1]] = block(source), [[x2, y2]] = block(target), middle = (tokens * cell) / 2;
      const piece = pieces(target * size, tokens, cell, top.memory);
      const moving = svg("g", {}, slots("kv-paging-copy", piece), lettered(letter(request), piece[0]));
      nodes.push(moving, slots("kv-paging-source", pieces(source * size, tokens, cell, top.memory)), arrow("kv-paging-copied", [x1 + middle, y1 + ROW - 3], [x2 + middle, y2 + 2]));
      if (stepped && !calm()) moving.animate([{ transform: `translate(${x1 - x2}px, ${y1 - y2}px)` }, { transform: "none" }], { duration: 450, easing: "ease-in-out" });
    }
    picture.replaceChildren(...nodes.flat(3).filter(Boolean), ...labels);
    fill(picture, { width, height: high, viewBox: `-1 0 ${width} ${high}`, "aria-label": `${kind === "paged" ? "Paged" : "Reserved"} memory of ${memory} slots: ` +
      `${frame ? `${frame.used} hold a token, ${frame.free} are free` : "all are free"}.` }, []);
    pad.style.cssText = `top: ${top.tokens}px; width: ${width}px; height: ${rows * ROW}px`;

    const name = kind === "paged" ? "Paged" : "Reserved", numbers = frame ?? { used: 0, to_come: 0, internal: 0, free: memory };
    head.textContent = frame ? `${name}: ${frame.running.length} running` : `${name}: done after ${frames.length} steps`;
    const square = (of, attributes) => svg("svg", { width: 14, height: 14, class: "kv-swatch", "aria-hidden": "true" }, svg("rect", { x: 1, y: 1, width: 12, height: 12, class: of, ...attributes }));
    key.replaceChildren(...[["kv-used", numbers.used, "hold a token"], ["kv-come", numbers.to_come, "to come", { fill: texture(f, kind) }], ["kv-taken", numbers.internal, "never filled"],
      ["kv-slots", numbers.free, "free"]].map(([of, n, text, attributes]) => h("li", {}, square(of, attributes), h("strong", {}, n), ` ${text}`)));
    queue.textContent = waiting(frames, frame?.step);
  }
  return { el, pad, show, keep: (frames) => keepRoom(queue, frames.map(({ step }) => waiting(frames, step))) };
}
