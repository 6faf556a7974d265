// The maths that Python has in kvlib and the page needs too. Bytes are BigInt: exact at any size.
// tests/test_widgets_maths.py and tests/test_widgets_codes.py hold every function to kvlib's.

const UNITS = {
  B: 1n, KiB: 2n ** 10n, MiB: 2n ** 20n, GiB: 2n ** 30n, TiB: 2n ** 40n,
  kB: 10n ** 3n, MB: 10n ** 6n, GB: 10n ** 9n, TB: 10n ** 12n,
};

// The double nearest to a/b (BigInt), as Python's int/int gives it.
function ratio(a, b) {
  if (a < 0n) return -ratio(-a, b);
  const exact = 2n ** 53n;
  if (a < exact && b < exact) return Number(a) / Number(b);
  const scale = 2n ** 64n;
  const q = (a * scale) / b;
  return Number((a * scale) % b ? q | 1n : q) / Number(scale);
}

// Python's f"{x:,.{digits}f}": toFixed rounds a tie away from zero, Python to even.
function fixed(x, digits) {
  let text = x.toFixed(digits);
  const tie = Math.abs((x * 2 ** (digits + 1)) % 2) === 1;
  const last = Number(text.at(-1));
  if (tie && last % 2) text = text.slice(0, -1) + (last - 1);
  const [whole, rest] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest ? `${grouped}.${rest}` : grouped;
}

const trimmed = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);

// units.fmt: "128 KiB". bytes is a BigInt or a whole Number.
function fmt(bytes, unit = null, digits = 3) {
  bytes = BigInt(bytes);
  const size = bytes < 0n ? -bytes : bytes;
  unit ??= ["TiB", "GiB", "MiB", "KiB"].find((u) => size >= UNITS[u]) ?? "B";
  return `${trimmed(fixed(ratio(bytes, UNITS[unit]), digits))} ${unit}`;
}

// units.fmt_seconds: three significant digits in s, ms, µs or ns.
function fmtSeconds(seconds, digits = 3) {
  const units = [["s", 1], ["ms", 1e-3], ["µs", 1e-6], ["ns", 1e-9]];
  const [unit, size] = units.find(([u, s]) => Math.abs(seconds) >= s || u === "ns");
  const number = seconds / size;
  const whole = String(Math.trunc(Math.abs(number))).length;
  return `${trimmed(fixed(number, Math.max(0, digits - whole)))} ${unit}`;
}

// A whole number as people read it: 8192 -> "8,192".
const group = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

// DType.nbytes: dtype is {values, bytes}; a group begun is a group stored.
function nbytes(elements, dtype) {
  const values = BigInt(dtype.values);
  return ((BigInt(elements) + values - 1n) / values) * BigInt(dtype.bytes);
}

// The formula for layers that are all alike, and the products on the way to it. `vectors` are kept
// of each token: its key and its value, or one latent vector. `numbers` are those in one vector, of
// all heads in one layer; `vector` is its bytes, `tensor` those of one layer's keys for all tokens of
// the batch; `layer` is one token in one layer, `token` in all layers, `sequence` the whole context.
function formula({ vectors = 2, n_layers, n_kv_heads, head_dim, context, batch, dtype }) {
  const numbers = BigInt(n_kv_heads) * BigInt(head_dim);
  const vector = nbytes(numbers, dtype);
  const layer = BigInt(vectors) * vector, token = BigInt(n_layers) * layer, sequence = BigInt(context) * token;
  return { numbers, vector, tensor: BigInt(batch) * BigInt(context) * vector, layer, token, sequence, all: BigInt(batch) * sequence };
}

// layouts.kv_bytes
const kvBytes = (shape) => formula(shape).all;

// A layout is a list of groups of equal layers, {layers, k, v, window, state, cross}: k and v are the
// numbers in a token's keys and values, window null or the tokens looked back on, state the fixed bytes
// of a sequence, cross the numbers kept of each token of a source sequence. For the bytes read in a step
// kvlib gives another list, in which a shared layer is what it shares.
const tokenBytes = (g, dtype) => nbytes(g.k, dtype) + nbytes(g.v, dtype);

// LayerKV.tokens
function tokensKept(g, context) {
  if (g.k + g.v === 0) return 0n;
  return BigInt(g.window !== null && g.window < context ? g.window : context);
}

// LayerKV.cross_bytes_per_token
const sourceTokenBytes = (g, dtype) => 2n * nbytes(BigInt(g.cross) / 2n, dtype);

// CacheLayout.breakdown; source is the tokens of the source sequence.
function breakdown(groups, context, batch, dtype, source = 0) {
  const sum = (part) => BigInt(batch) * groups.reduce((bytes, g) => bytes + BigInt(g.layers) * part(g), 0n);
  const tokens = sum((g) => tokensKept(g, context) * tokenBytes(g, dtype));
  const state = sum((g) => BigInt(g.state)), cross = sum((g) => BigInt(source) * sourceTokenBytes(g, dtype));
  return { tokens, state, cross, total: tokens + state + cross };
}

// CacheLayout.bytes, and of the groups as they are read CacheLayout.bytes_read
const layoutBytes = (...args) => breakdown(...args).total;

// budget._largest: the largest n that fits, 0n if none, null if there is no end.
function largest(fits) {
  let low = 1n, high = 2n ** 50n;
  if (!fits(low)) return 0n;
  if (fits(high)) return null;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

// budget.Budget: bytes are whole Numbers in `setting`, BigInt in what comes back.
function budget({ kept, read, dtype, context, batch, source = 0, usable, weights, weights_read, overhead, bandwidth }) {
  const free = BigInt(usable) - BigInt(weights) - BigInt(overhead);
  const cacheBytes = (tokens, sequences) => layoutBytes(kept, tokens, sequences, dtype, source);
  const cache = cacheBytes(context, batch);
  const step = BigInt(weights_read ?? weights) + layoutBytes(read, context, batch, dtype, source);
  const floor = ratio(step, BigInt(bandwidth));
  return {
    cache, floor, rate: batch / floor,
    room: free > 0n ? free : 0n,
    short: cache > free ? cache - free : 0n,
    sequences: largest((n) => cacheBytes(context, n) <= free),
    longest: largest((n) => cacheBytes(n, batch) <= free),
  };
}

// budget.Arithmetic: `attention` is [[window or null, operations for each token attended to]…]. A whole step's
// operations, BigInt: one new token of each sequence, or all of a prompt.
function arithmetic({ weights, output, attention }, context, batch, prefill = false) {
  const T = BigInt(context), W = BigInt(weights);
  const seen = attention.reduce((sum, [window, each]) => {
    const start = window !== null && window < context ? BigInt(window) : T;
    return sum + BigInt(each) * (prefill ? (start * (start + 1n)) / 2n + (T - start) * start : start);
  }, 0n);
  return BigInt(batch) * (prefill ? 2n * (W - BigInt(output)) * T + 2n * BigInt(output) + seen : 2n * W + seen);
}

// Where a step turns, as budget.Budget says it: cache_bound_from and compute_bound_from in sequences, and
// compute_bound_prompt in tokens, BigInt or null. `weights` are the bytes read; each(context) the cache that is
// read of one sequence, kept(context) what its prompt writes; `peak` is 0 where it is not known.
function turns({ work, weights, each, kept, bandwidth, peak, context }) {
  const W = BigInt(weights), P = BigInt(peak), B = BigInt(bandwidth), read = each(context);
  const over = arithmetic(work, context, 1) * B - read * P;
  const last = peak ? largest((n) => arithmetic(work, n, 1, true) * B <= (W + kept(n)) * P) : null;
  return {
    cache: read ? W / read + 1n : null,
    compute: peak && over > 0n ? (W * P) / over + 1n : null,
    prompt: last === null ? null : last + 1n,
  };
}

// widgets/decode_theatre.py, counts, with its sums in closed form: small whole Numbers, exact.
function decodeCounts(prompt, step) {
  const T = prompt + step - 1;
  const sum = (n) => (n * (n + 1)) / 2, squares = (n) => (n * (n + 1) * (2 * n + 1)) / 6;
  return {
    without: {
      projections: T, scores: T * T,
      all_projections: sum(T) - sum(prompt - 1), all_scores: squares(T) - squares(prompt - 1),
    },
    with: {
      projections: step === 1 ? T : 1, scores: step === 1 ? T * T : T,
      all_projections: T, all_scores: prompt * prompt + sum(T) - sum(prompt),
    },
  };
}

// ---- keys as a cache keeps them: Numbers, each rounded where kvlib rounds it

// The whole number nearest to x, of two as near the even one: as torch rounds.
function even(x) {
  const near = Math.round(x);
  return Math.abs(x % 1) === 0.5 && near % 2 ? near - 1 : near;
}

// x in float16: 11 binary digits, and none below 2 ** -24.
function half(x) {
  x = Math.fround(x);
  if (x === 0) return x;
  const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(x)))) - 10);
  return even(x / step) * step;
}

// cache.codes.quantize of one group: codes, scale and zero. Each step is rounded to float32, as there.
function quantize(numbers, bits) {
  const x = Array.from(numbers, Math.fround), most = 2 ** bits - 1;
  const zero = half(Math.min(...x)), width = Math.fround(Math.max(...x) - zero);
  const scale = half(Math.max(2 ** -14, Math.fround(width / most)));
  const codes = x.map((n) => Math.min(most, Math.max(0, even(Math.fround(Math.fround(n - zero) / scale)))));
  return { codes, scale, zero };
}

// Turns every head of `vector` by a position: halves (a, b) to (a cos − b sin, b cos + a sin).
function rotate(vector, position, { head_dim, rope_theta }) {
  const middle = head_dim / 2;
  for (let i = 0; i < middle; i++) {
    const angle = position / rope_theta ** (i / middle), cos = Math.cos(angle), sin = Math.sin(angle);
    for (let at = i; at < vector.length; at += head_dim) {
      const a = vector[at], b = vector[at + middle];
      vector[at] = a * cos - b * sin;
      vector[at + middle] = b * cos + a * sin;
    }
  }
}
