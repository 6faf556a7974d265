// What FormulaBox computes: the products after each factor, and where each picture's lines lie.

// formula_box.products, and what the blocks of a dtype do. `s` is { dtype: { values, bytes }, vectors, head_dim,
// n_kv_heads, n_layers, context, batch }. The bytes of one head and less are Numbers, its share of the blocks that
// it lies in; those of all heads and more are BigInt.
function boxProducts(s) {
  const { layer, token, sequence, all, numbers: row, tensor } = formula(s), { values, bytes } = s.dtype;
  const kept = [1, s.head_dim, s.vectors * s.head_dim], counts = kept.map(BigInt), block = BigInt(values);
  for (const factor of [s.n_kv_heads, s.n_layers, s.context, s.batch]) counts.push(counts.at(-1) * BigInt(factor));
  const blocks = (row + block - 1n) / block;
  return { counts, sizes: [...kept.map((n) => (n * bytes) / values), layer, token, sequence, all],
    row, blocks, tensor, all, padding: Number(blocks * block - row) };
}

// A box of one token, or less, at steps 1 to 5, in units: a number is as wide as its bytes, two high and two deep.
function boxEdges(s, step) {
  const number = s.dtype.bytes / s.dtype.values;
  return { number, wide: number * (step < 2 ? 1 : s.head_dim), plates: step < 3 ? 1 : s.vectors, rows: step < 4 ? 1 : s.n_kv_heads,
    deep: step < 5 ? 1 : s.n_layers, padded: step < 4 ? 0 : number * boxProducts(s).padding };
}
const BACK = [0.7, 0.5]; // where one unit of depth leads: right and up

// In pixels: the box of every `edges` fits into width × height at the one scale that is returned.
const boxScale = (all, width, height) => Math.min(60, ...all.map((e) => Math.min(
  width / (e.wide + e.padded + 2 * e.deep * BACK[0]), height / (2 * e.plates * e.rows + 2 * e.deep * BACK[1]))));

// The least power of two of things `each` wide that are 4 pixels together: a line for each would be a grey field.
const boxEvery = (each) => 2 ** Math.max(0, Math.ceil(Math.log2(4 / each)));

// Tiles for `most` things: as large as width × height allows, `shape` times as wide as high, `columns` to a line;
// where they would be below 3 pixels, each tile is for `together` things, a power of two.
function boxTiles(most, width, height, shape) {
  for (let together = 1; ; together *= 2) {
    const count = Math.ceil(most / together);
    if (count > (width * height) / (9 * shape)) continue;
    const about = Math.sqrt((count * width) / (height * shape)), high = (c) => Math.min(width / (shape * c), height / Math.ceil(count / c));
    let columns = 1;
    for (let c = Math.max(1, Math.floor(0.5 * about)); c <= Math.min(count, Math.ceil(2 * about)); c += 1) if (high(c) > high(columns)) columns = c;
    if (high(columns) >= 3 || count === 1) return { together, columns, high: high(columns), wide: shape * high(columns) };
  }
}

// What doubling each factor makes of the cache: { key: how many times as large }.
function boxDoubled(s) {
  const { all } = boxProducts(s);
  return Object.fromEntries(["head_dim", "n_kv_heads", "n_layers", "context", "batch"].map((key) =>
    [key, ratio(boxProducts({ ...s, [key]: 2 * s[key] }).all, all)]));
}
