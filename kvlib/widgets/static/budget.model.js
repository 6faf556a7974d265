// What the budget figure computes: the Budget of a setting, the rows of its table (budget_table.py), and the
// setting that the cache's edge is dragged to.
const SETTING = ["model", "gpu", "gpus", "weights", "dtype", "context", "batch", "source_len", "overhead_mib", "utilization"];

// kvlib.Budget of f's setting, or with the prefix "a_" of the pinned one, and what the figure needs beside it.
function budgetOf(f, prefix = "") {
  const s = Object.fromEntries(SETTING.map((key) => [key, f.get(prefix + key)]));
  const { kept, read = kept, total, weights_read, made_for, cross } = f.get("models")[s.model];
  const [memory, bandwidth] = f.get("gpu_facts")[s.gpu], [of, dtype] = [s.weights, s.dtype].map((name) => f.get("dtypes")[name]);
  const all = BigInt(memory) * BigInt(s.gpus), usable = (BigInt(s.utilization) * all) / 100n;
  const weights = nbytes(total, of), step = nbytes(weights_read, of), overhead = BigInt(s.overhead_mib) * UNITS.MiB;
  const source = cross ? s.source_len : 0;
  const b = budget({ kept, read, dtype, context: s.context, batch: s.batch, source, usable, weights, weights_read: step, overhead,
    bandwidth: BigInt(bandwidth) * BigInt(s.gpus) });
  const needed = weights + overhead + b.cache;
  return { ...s, ...b, all, usable, overhead, needed, made_for, cross, step, memory, held: weights, free: usable - needed,
    cacheOf: (context, batch) => layoutBytes(kept, context, batch, dtype, source),
    named: `${s.model} (${s.weights}) on ${s.gpus} × ${s.gpu}, sequences: ${group(s.batch)} of ${group(s.context)} tokens (${s.dtype})`
      + (cross ? `, each with a source of ${group(s.source_len)}` : "") };
}

// budget_table.rows: [name, kind, value or null, note] each.
function budgetRows(f, s) {
  const ends = s.made_for !== null && (s.longest === null || s.longest > s.made_for);
  const values = [s.held, s.overhead, s.cache, s.usable, s.free, s.sequences, ends ? BigInt(s.made_for) : s.longest,
    ...(s.short ? [null, null] : [s.floor, s.rate])];
  return f.get("words").rows.map(([name, kind], i) => [name, kind, values[i],
    i === 6 && ends ? `where the model ends; memory for ${s.longest === null ? "any" : group(s.longest)}` : ""]);
}

function spelt(f, kind, n) {
  if (n === null) return f.get("words").no_value[kind];
  if (kind === "bytes") return fmt(n).replace("-", "−");
  if (kind === "seconds") return fmtSeconds(n);
  return kind === "count" ? group(n) : fixed(n, 0);
}

// budget_table.Row.cells
function budgetCells(f, [name, kind, value, note]) {
  let n = value;
  if (name.startsWith("free")) {
    name = n >= 0n ? "fits, free" : "does not fit, short by";
    if (n < 0n) n = -n;
  }
  return [name, spelt(f, kind, n) + (note && `, ${note}`), kind === "bytes" ? group(n) : ""];
}

// budget_table.beside
function beside(f, kind, a, b) {
  const abs = (n) => (n < 0 ? -n : n), [x, y] = [a, b].map((n) => abs(n ?? 0));
  const unit = kind === "bytes" ? fmt(x > y ? x : y).split(" ")[1] : null;
  const inUnit = (n) => {
    if (n === null || kind === "count" || kind === "rate") return spelt(f, kind, n);
    const text = kind === "bytes" ? fmt(n, unit).replace("-", "−") : `${trimmed(fixed(1000 * n, 3))} ms`;
    return n && /^−?0 /.test(text) ? spelt(f, kind, n) : text;
  };
  const change = a === null || b === null ? null : b - a;
  return [inUnit(a), inUnit(b), change === null ? "" : change ? `${change > 0 ? "+" : "−"}${inUnit(abs(change))}` : "the same"];
}

// budget_table.compared
function compared(f, a, b) {
  const set = Object.entries(f.get("words").set).filter(([key]) => a[key] !== b[key] && (key !== "source_len" || a.cross || b.cross));
  const [rows, others] = [budgetRows(f, a), budgetRows(f, b)];
  return [
    ...set.map(([key, name]) => [name, ...(typeof a[key] === "string" ? [a[key], b[key], ""] : beside(f, "count", a[key], b[key]))]),
    ...rows.map(([name, kind, value], i) => [name, ...beside(f, kind, value, others[i][2])])];
}

// Of the multiples of `grain` from `least` to `most`, that whose cache comes nearest to `bytes`; where many are as
// near, the smallest. null where the cache takes no more for `most` than for `least`.
function nearest(cacheOf, bytes, { least, most, grain }) {
  const end = cacheOf(most), goal = bytes < end ? bytes : end;
  if (cacheOf(least) === end) return null;
  let low = least, high = most;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (cacheOf(middle) >= goal) high = middle;
    else low = middle + 1;
  }
  const up = Math.min(most, Math.ceil(low / grain) * grain), down = Math.max(least, Math.floor((low - 1) / grain) * grain);
  return cacheOf(up) - goal < goal - cacheOf(down) ? up : down;
}
