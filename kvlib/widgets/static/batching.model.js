// kvlib.serving.batching in JavaScript: a stream served under a policy, a step at a time, so that budget and rate may
// be any. tests/test_widgets_batching_model.py holds every field of every step to kvlib's, on random streams.
// A request is { at, prompt, new, cached }. Bytes and operations are whole Numbers here, exact below 2 ** 53.

// batching.Costs; `facts` are Python's.
function costsOf({ kept, read, work, weights, bandwidth, peak, room }, dtype) {
  const once = (compute) => {
    const known = new Map();
    return (n) => {
      if (!known.has(n)) known.set(n, Number(compute(n)));
      return known.get(n);
    };
  };
  const reads = once((n) => layoutBytes(read, n, 1, dtype));
  const decode = once((n) => arithmetic(work, n, 1)), prefill = once((n) => (n ? arithmetic(work, n, 1, true) : 0n));
  const sum = (all) => all.reduce((a, b) => a + b, 0);
  const floors = (prompts, contexts) => [
    (weights + sum([...prompts.map(([past, n]) => past + n), ...contexts].map(reads))) / bandwidth,
    (sum(contexts.map(decode)) + sum(prompts.map(([past, n]) => prefill(past + n) - prefill(past)))) / peak];
  return { room, floors, bytes: once((n) => (n ? layoutBytes(kept, n, 1, dtype) : 0n)) };
}

const leftOf = (r) => r.request.prompt - r.past;

// batching.serve
function serve(stream, costs, policy, { max_sequences = 256, token_budget }) {
  const served = [...stream].sort((a, b) => a.at - b.at).map((request) => ({ request, times: [] })), steps = [];
  const waiting = served.map(({ request, times }, place) => (
    { place, request, times, past: request.cached, size: costs.bytes(request.prompt + request.new) }));
  let running = [], now = 0;
  while (waiting.length || running.length) {
    if (!running.length) now = Math.max(now, waiting[0].request.at);
    if (policy !== "static" || !running.length) {
      let held = running.reduce((all, r) => all + r.size, 0);
      while (waiting.length && waiting[0].request.at <= now && running.length < max_sequences) {
        held += waiting[0].size;
        if (held > costs.room) break;
        running.push(waiting.shift());
      }
    }
    const { prompts, decoding } = planned(running, policy, token_budget), at = now;
    const [reading, computing] = costs.floors(prompts.map(([r, n]) => [r.past, n]), decoding.map((r) => r.request.prompt + r.times.length));
    now += Math.max(reading, computing);
    for (const [r, n] of prompts) r.past += n;
    for (const r of [...decoding, ...prompts.map(([one]) => one).filter((one) => !leftOf(one))]) r.times.push(now);
    steps.push({ at, reading, computing, prompts: prompts.map(([r, n]) => [r.place, n]), decoding: decoding.map((r) => r.place),
      inside: running.map((r) => [r.place, leftOf(r) ? r.past : r.request.prompt + r.times.length - 1]) });
    running = running.filter((r) => r.times.length < r.request.new);
  }
  return { policy, served, steps };
}

// batching._plan
function planned(running, policy, budget) {
  let decoding = running.filter((r) => !leftOf(r)), room = budget;
  const prompts = [], chunked = policy === "chunked";
  if (chunked) {
    decoding = decoding.slice(0, room);
    room -= decoding.length;
  }
  for (const r of running) {
    if (!leftOf(r) || room <= 0) continue;
    const n = chunked ? Math.min(leftOf(r), room) : leftOf(r);
    if (n > room && prompts.length) break;
    prompts.push([r, n]);
    room -= n;
  }
  return { prompts, decoding: !chunked && prompts.length ? [] : decoding };
}

// batching.Served
const ttft = ({ request, times }) => times[0] - request.at;
const tpot = ({ times }) => (times.at(-1) - times[0]) / Math.max(1, times.length - 1);
const stall = ({ times }) => Math.max(0, ...times.slice(1).map((t, i) => t - times[i]));

// Timeline.summary
function summary({ served }) {
  const sorted = (of) => served.map(of).sort((a, b) => a - b), n = served.length, p95 = Math.ceil((95 * n) / 100) - 1;
  const median = (all) => (n % 2 ? all[(n - 1) / 2] : (all[n / 2 - 1] + all[n / 2]) / 2);
  const first = sorted(ttft), more = sorted(tpot), end = Math.max(...served.map(({ times }) => times.at(-1)));
  return { ttft: median(first), ttft_p95: first[p95], tpot: median(more), tpot_p95: more[p95], stall: Math.max(...served.map(stall)),
    tokens_per_second: served.reduce((all, { request }) => all + request.new, 0) / end };
}

// ---- what a run says

const lasts = (step) => Math.max(step.reading, step.computing);
const endOf = (step) => step.at + lasts(step);

// Of each request what it lives through: [{ kind, from, to, steps }], seconds. A prefill or a decode step is a piece
// of its own; "waits" before its prompt is done, "pause" within its answer, "empty" its place once it is done, as
// long as static batching gives it to nobody.
function lives({ policy, served, steps }) {
  const all = served.map(({ request }) => [{ kind: "waits", from: request.at, to: request.at }]), first = [], last = [];
  for (const [i, step] of steps.entries()) {
    const computed = new Set(step.prompts.map(([place]) => place)), decoding = new Set(step.decoding);
    for (const [place, tokens] of step.inside) {
      const life = all[place], before = life.at(-1), { request } = served[place];
      const kind = computed.has(place) ? "prefill" : decoding.has(place) ? "decode" : tokens >= request.prompt ? "pause" : "waits";
      first[place] ??= i;
      last[place] = i;
      before.to = step.at;
      if (kind === before.kind && (kind === "pause" || kind === "waits")) before.to = endOf(step);
      else life.push({ kind, from: step.at, to: endOf(step) });
    }
  }
  if (policy === "static") {
    for (const [place, life] of all.entries()) {
      const batch = Math.max(...last.filter((_, other) => first[other] === first[place]));
      if (batch > last[place]) life.push({ kind: "empty", from: endOf(steps[last[place]]), to: endOf(steps[batch]) });
    }
  }
  return { first, last, all: all.map((life) => life.filter(({ from, to }) => to > from)) };
}

// The step at a time in ms: the last that has begun before it, −1 where none has; `over` if it has ended.
function stepAt({ steps }, ms) {
  const i = steps.findLastIndex((step) => 1000 * step.at < ms);
  return { i, over: i < 0 || ms > 1000 * endOf(steps[i]) };
}
