// The tiny language model in plain JavaScript: kvlib.decoder's decoder for one sequence, a token at a time, and
// the cache of kvlib.measure.tiny, which can be damaged. It computes in doubles; what is kept in the cache is
// rounded as kvlib rounds it. tests/test_widgets_damage.py holds tokens, logits and codes to kvlib's.

// ---- numbers as the cache keeps them

// A vector of `heads` heads as it will be read once it is kept with `bits` a number.
function kept(vector, heads, bits) {
  if (bits === 16) return vector.map(half);
  const size = vector.length / heads, read = new Float64Array(vector.length);
  for (let at = 0; at < vector.length; at += size) {
    const { codes, scale, zero } = quantize(vector.subarray(at, at + size), bits);
    codes.forEach((code, i) => { read[at + i] = Math.fround(zero + code * scale); });
  }
  return read;
}

// ---- the decoder

// The text that widgets/huffman.py coded: `lengths[n]` letters have a code of n bits.
function uncoded({ count, letters, lengths, data }) {
  const bytes = atob(data), text = [];
  for (let at = 0; text.length < count;) {
    for (let n = 1, code = 0, first = 0, index = 0; ; n++) {
      code += (bytes.charCodeAt(at >> 3) >> (7 - (at++ & 7))) & 1;
      if (code < first + lengths[n]) { text.push(letters[index + code - first]); break; }
      index += lengths[n];
      first = 2 * (first + lengths[n]);
      code *= 2;
    }
  }
  return text.join("");
}

// The model of tiny.json: its words and its matrices [rows, columns], in the order of widgets/tiny.py.
function tinyModel({ shape, vocabulary, scales, codes: coded, levels }) {
  const codes = uncoded(coded), words = vocabulary.split(" "), D = shape.head_dim, first = 97 + (levels - 1) / 2;
  let at = 0, n = 0;
  const matrix = (rows, columns) => {
    const scale = scales[n++], numbers = new Float64Array(rows * columns);
    for (let i = 0; i < numbers.length; i++) numbers[i] = (codes.charCodeAt(at++) - first) * scale;
    return { rows, columns, numbers };
  };
  const layers = Array.from({ length: shape.layers }, () => ({
    qkv: matrix(shape.hidden, (shape.n_heads + 2 * shape.n_kv_heads) * D), out: matrix(shape.n_heads * D, shape.hidden),
    gateUp: matrix(shape.hidden, 2 * shape.ffn), down: matrix(shape.ffn, shape.hidden),
  }));
  return { ...shape, words, ids: new Map(words.map((word, i) => [word, i])), layersOf: layers, embedding: matrix(shape.hidden, words.length) };
}

// x [rows] times a matrix: [columns], added to `sum` where there is one. Four rows at once are read faster; all
// matrices have a number of rows that four divides.
function times(x, { rows, columns, numbers }, sum = new Float64Array(columns)) {
  for (let i = 0; i < rows; i += 4) {
    const a = x[i], b = x[i + 1], c = x[i + 2], d = x[i + 3], at = i * columns;
    for (let j = 0, p = at, q = at + columns, r = q + columns, s = r + columns; j < columns; j++) {
      sum[j] += a * numbers[p++] + b * numbers[q++] + c * numbers[r++] + d * numbers[s++];
    }
  }
  return sum;
}

function normed(x, eps) {
  let squares = 0;
  for (const n of x) squares += n * n;
  const size = Math.sqrt(squares / x.length + eps);
  return x.map((n) => n / size);
}

// ---- the cache, and a step

// A damage: bits 16, 8, 4 or 2; window (null: none) and sinks as kvlib's SlidingCache; dropped, a Set of positions
// that are gone once the prompt has been read; rotation, whether keys are turned before they are kept.

// Positions that the token at `newest` sees, its own the last.
function held(newest, prompt, { window, sinks, dropped }) {
  const first = window === null ? 0 : newest + 1 - window, found = [];
  for (let i = 0; i <= newest; i++) {
    const inside = i >= first || i < sinks;
    if (inside && (i === newest || newest < prompt || !dropped.has(i))) found.push(i);
  }
  return found;
}

// A cache before its first token: keys and values of every layer, a vector a token.
const empty = (model, prompt, damage) => ({ model, prompt, damage, length: 0, k: model.layersOf.map(() => []), v: model.layersOf.map(() => []) });

// The same cache under another damage that keeps what is there: other tokens are dropped from now on.
const copied = (cache, damage) => ({ ...cache, damage, k: cache.k.map((layer) => layer.slice()), v: cache.v.map((layer) => layer.slice()) });

// Takes one token in. Returns the logits of the next, or with `last` false null, which costs less; and `read`, the
// most that any head of any layer takes from each position.
function step(cache, token, last = true) {
  const { model, damage, length: at } = cache, { n_heads: H, n_kv_heads: H_kv, head_dim: D, eps } = model;
  const seen = held(at, cache.prompt, damage), read = new Float64Array(at + 1);
  let x = new Float64Array(model.hidden);
  for (let i = 0; i < x.length; i++) x[i] = model.embedding.numbers[i * model.words.length + token];
  cache.length++;
  for (const [i, layer] of model.layersOf.entries()) {
    const qkv = times(normed(x, eps), layer.qkv);
    const q = qkv.subarray(0, H * D), k = qkv.subarray(H * D, (H + H_kv) * D), v = qkv.subarray((H + H_kv) * D);
    rotate(q, at, model);
    if (damage.rotation) rotate(k, at, model);
    cache.k[i].push(kept(k, H_kv, damage.bits));
    cache.v[i].push(kept(v, H_kv, damage.bits));
    if (!last && i === model.layers - 1) return { logits: null, read };
    x = times(attend(q, cache.k[i], cache.v[i], seen, H, H_kv, D, read), layer.out, x);
    const both = times(normed(x, eps), layer.gateUp), ffn = both.length / 2;
    const gated = both.subarray(0, ffn).map((gate, j) => (gate / (1 + Math.exp(-gate))) * both[ffn + j]);
    x = times(gated, layer.down, x);
  }
  return { logits: times(normed(x, eps), model.embedding), read };
}

function attend(q, keys, values, seen, H, H_kv, D, read) {
  const out = new Float64Array(H * D), weights = new Float64Array(seen.length);
  for (let h = 0; h < H; h++) {
    const own = h * D, shared = Math.floor(h / (H / H_kv)) * D;
    let most = -Infinity, sum = 0;
    for (let s = 0; s < seen.length; s++) {
      const key = keys[seen[s]];
      let dot = 0;
      for (let d = 0; d < D; d++) dot += q[own + d] * key[shared + d];
      weights[s] = dot / Math.sqrt(D);
      most = Math.max(most, weights[s]);
    }
    for (let s = 0; s < seen.length; s++) sum += weights[s] = Math.exp(weights[s] - most);
    for (let s = 0; s < seen.length; s++) {
      const weight = weights[s] / sum, value = values[seen[s]];
      read[seen[s]] = Math.max(read[seen[s]], weight);
      for (let d = 0; d < D; d++) out[own + d] += weight * value[shared + d];
    }
  }
  return out;
}

// The cache after a prompt (a list of tokens), and what the last of them gave.
function prefill(model, prompt, damage) {
  const cache = empty(model, prompt.length, damage);
  const said = prompt.map((token, i) => step(cache, token, i === prompt.length - 1)).at(-1);
  return { cache, said };
}

const likeliest = (logits) => logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));

// `most` tokens after a prefill, the likeliest each time; it goes on after the stop token. Each with the logits it
// was chosen by, and what the step before it read.
function* written({ cache, said }, most) {
  for (let n = 0; n < most; n++) {
    if (n) said = step(cache, said.token);
    said = { ...said, token: likeliest(said.logits) };
    yield said;
  }
}
