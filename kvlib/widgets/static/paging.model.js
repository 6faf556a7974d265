// kvlib.serving in JavaScript: a stream of requests served from one memory, a frame a step, so that the reader may
// add requests. tests/test_widgets_paging_model.py holds every frame to kvlib.serving's, on random streams.
// A request is { id, arrival, prompt, more, prefix }: tokens of its prompt, new ones, and those of the system prompt
// that its prompt begins with, the same for all. Its memory is contiguous() or paged().

const finalOf = (request) => request.prompt + request.more;

// memories.Contiguous: a run of `reserve` slots for each request, first fit.
function contiguous(slots, reserve) {
  const held = new Map(); // id -> { start, size, tokens, final }
  const gaps = () => {
    const found = [];
    let at = 0;
    for (const { start, size } of [...[...held.values()].sort((a, b) => a.start - b.start), { start: slots, size: 0 }]) {
      if (start > at) found.push([at, start - at]);
      at = start + size;
    }
    return found;
  };
  const sum = (what) => [...held.values()].reduce((all, one) => all + one[what], 0);
  return {
    grow: ({ id }) => { held.get(id).tokens++; return true; },
    admit: (request, tokens) => {
      const gap = gaps().find(([, size]) => size >= reserve);
      if (gap) held.set(request.id, { start: gap[0], size: reserve, tokens, final: finalOf(request) });
      return gap !== undefined;
    },
    leave: ({ id }) => held.delete(id),
    held: (id) => {
      const { tokens, start, size } = held.get(id);
      return { request: id, tokens, start, size, blocks: [] };
    },
    copied: () => [],
    refs: () => [],
    prefix: () => null,
    counts: (first) => {
      const used = sum("tokens"), taken = sum("size"), final = sum("final");
      const external = gaps().reduce((all, [, size]) => all + (first && size < reserve ? size : 0), 0);
      return { used, to_come: final - used, internal: taken - final, free: slots - taken, external };
    },
  };
}

// memories.Paged, with blocks.BlockPool and BlockTable: a table is { blocks, length, final }. With `share`, the
// system prompt is stored once, in a table of its own that requests fork, until `stream` needs it no more.
function paged(stream, slots, size, share) {
  const n = Math.floor(slots / size), free = Array.from({ length: n }, (_, i) => n - 1 - i), refs = Array(n).fill(0);
  const tables = new Map(), blocksOf = (tokens) => Math.ceil(tokens / size);
  let shared = null, copies = [], toServe = stream.filter(({ prefix }) => prefix).length;
  const owned = () => [...tables.values(), ...(shared ? [shared] : [])];
  const take = () => { refs[free.at(-1)] = 1; return free.pop(); };
  const giveBack = (blocks) => { for (const block of [...blocks].reverse()) if (--refs[block] === 0) free.push(block); };
  // False, with nothing changed, if the pool can't give what it takes.
  function append(table, tokens, request) {
    const inside = table.length % size, last = table.blocks.length - 1, writesShared = inside > 0 && refs[table.blocks[last]] > 1;
    let more = blocksOf(table.length + tokens) - table.blocks.length;
    if (more + writesShared > free.length) return false;
    if (writesShared) {
      const source = table.blocks[last], target = table.blocks[last] = take();
      giveBack([source]);
      copies.push({ request, tokens: inside, source, target });
    }
    while (more--) table.blocks.push(take());
    table.length += tokens;
    return true;
  }
  // Tokens in each block that is owned; with `end`, those in it when its owners are done.
  const filled = (end) => {
    const tokens = new Map();
    for (const table of owned()) for (const [i, block] of table.blocks.entries()) {
      tokens.set(block, Math.max(tokens.get(block) ?? 0, Math.min(size, (end ? table.final : table.length) - i * size)));
    }
    return tokens;
  };
  return {
    grow: ({ id }) => append(tables.get(id), 1, id),
    admit: (request, tokens) => {
      const { id, prefix } = request, shares = share && prefix > 0;
      const kept = shares ? Math.floor(prefix / size) - (shared ? 0 : blocksOf(prefix)) : 0;
      if (blocksOf(tokens) - kept > free.length) return false;
      if (shares && !shared) append(shared = { blocks: [], length: 0, final: prefix }, prefix);
      const table = { blocks: shares ? [...shared.blocks] : [], length: shares ? prefix : 0, final: finalOf(request) };
      for (const block of table.blocks) refs[block]++;
      append(table, tokens - table.length, id);
      tables.set(id, table);
      return true;
    },
    leave: ({ id, prefix }, done) => {
      const { blocks, length } = tables.get(id), lost = length - (shared ? prefix : 0);
      tables.delete(id);
      giveBack(blocks);
      if (prefix && done && --toServe === 0 && shared) {
        giveBack(shared.blocks);
        shared = null;
      }
      return lost;
    },
    held: (id) => ({ request: id, tokens: tables.get(id).length, start: null, size: 0, blocks: [...tables.get(id).blocks] }),
    copied: () => copies.splice(0),
    refs: () => [...refs],
    prefix: () => shared && { request: -1, tokens: shared.length, start: null, size: 0, blocks: [...shared.blocks] },
    counts: () => {
      const now = filled(false), sum = (tokens) => [...tokens.values()].reduce((all, one) => all + one, 0);
      const used = sum(now), end = sum(filled(true));
      return { used, to_come: end - used, internal: size * now.size - end, free: slots - size * now.size, external: 0 };
    },
  };
}

// simulation.simulate: its frames.
function served(stream, memory) {
  const coming = [...stream].sort((a, b) => a.arrival - b.arrival || a.id - b.id), queue = [], running = [], frames = [];
  const made = new Map(stream.map((request) => [request, 0])), more = (request) => made.set(request, made.get(request) + 1);
  for (let step = 0; coming.length || queue.length || running.length; step++) {
    while (coming.length && coming[0].arrival <= step) queue.push(coming.shift());
    const preempted = [], admitted = [];
    for (const request of [...running]) {
      while (running.includes(request) && !memory.grow(request)) {
        const last = running.pop();
        preempted.push({ request: last.id, by: request.id, tokens: memory.leave(last, false) });
        queue.unshift(last);
      }
      if (running.includes(request)) more(request);
    }
    while (queue.length && !preempted.length && memory.admit(queue[0], queue[0].prompt + made.get(queue[0]) + 1)) {
      more(queue[0]);
      admitted.push(queue[0].id);
      running.push(queue.shift());
    }
    frames.push({ step, running: running.map(({ id }) => memory.held(id)), waiting: queue.map(({ id }) => id), preempted, admitted,
      copied: memory.copied(), prefix: memory.prefix(), refs: memory.refs(), ...memory.counts(queue[0]) });
    for (const request of running.filter((one) => made.get(one) === one.more)) {
      running.splice(running.indexOf(request), 1);
      memory.leave(request, true);
    }
  }
  return frames;
}

// ---- what frames say

const takenIn = ({ used, to_come, internal }) => used + to_come + internal;

// When each request was in the memory: id -> [{ first, last, thrown }].
function stays(frames) {
  const found = new Map();
  for (const { step, running, preempted, waiting } of frames) {
    for (const id of waiting) if (!found.has(id)) found.set(id, []);
    for (const { request } of running) {
      const all = found.get(request) ?? found.set(request, []).get(request);
      if (all.at(-1)?.last === step - 1) all.at(-1).last = step;
      else all.push({ first: step, last: step, thrown: false });
    }
    for (const { request } of preempted) found.get(request).at(-1).thrown = true;
  }
  return found;
}

const letter = (id) => (id < 26 ? String.fromCharCode(65 + id) : String(id));

// When a request was last thrown out before a step: { step, tokens }, the tokens to compute again; undefined if never.
function thrownBefore(frames, step, id) {
  for (let at = step - 1; at >= 0; at--) {
    const one = frames[at].preempted.find(({ request }) => request === id);
    if (one) return { step: at, tokens: one.tokens };
  }
}

// Who waits at a step, and since when those who were thrown out.
function waiting(frames, step) {
  const all = frames[step]?.waiting ?? [];
  if (!all.length) return "Nobody waits";
  return `Waiting: ${all.map((id) => { const thrown = thrownBefore(frames, step + 1, id); return thrown ? `${letter(id)} (thrown out at step ${thrown.step})` : letter(id); }).join(" ")}`;
}

// What happened in a step of the paged run, a sentence each.
function events(frames, step, stream) {
  const now = frames[step], before = frames[step - 1]?.running ?? [], said = [];
  const named = (ids) => ids.map(letter).join(", ");
  if (!now) return [`All are done since step ${frames.length}.`];
  const held = (id) => now.running.find((r) => r.request === id);
  for (const { request } of before) {
    if (!held(request) && !now.preempted.some((one) => one.request === request)) said.push(`${letter(request)} is done and gives its blocks back.`);
  }
  for (const { request, by, tokens } of now.preempted) {
    said.push(`${letter(by)} needs a block and none is free. ${request === by ? "It was itself admitted last: it" : `${letter(request)}, admitted last,`} ` +
      `is thrown out, and ${many(tokens, "token")} must be computed again when it returns.`);
  }
  for (const id of now.admitted) {
    const { tokens, blocks } = held(id), lost = thrownBefore(frames, step, id), shared = blocks.filter((block) => now.refs[block] > 1).length;
    const where = `in ${many(blocks.length, "block")}${shared ? `, ${shared} of them shared` : ""}`;
    said.push(lost ? `${letter(id)}, thrown out at step ${lost.step}, is back: of ${many(tokens, "token")} ${where}, ${lost.tokens} are computed again.`
      : `${letter(id)} is admitted with ${many(tokens, "token")} ${where}.`);
  }
  for (const source of new Set(now.copied.map((copy) => copy.source))) {
    const all = now.copied.filter((copy) => copy.source === source), names = named(all.map(({ request }) => request));
    said.push(`Block ${source} has other owners: before ${names} ${all.length > 1 ? "write" : "writes"} behind its ${many(all[0].tokens, "token")}, ` +
      `they are copied to ${all.length > 1 ? "blocks" : "block"} ${all.map(({ target }) => target).join(", ")} (copy-on-write).`);
  }
  const queued = stream.filter(({ id, arrival }) => arrival === step && now.waiting.includes(id));
  if (queued.length) said.push(`${named(queued.map(({ id }) => id))} ${queued.length > 1 ? "arrive and wait" : "arrives and waits"}.`);
  return said.length ? said : [now.running.length ? "Every request that runs stores one token more." : "Nobody is here."];
}
