// The recorded keys as numbers, what a cache of codes reads in their place, and how far off that is.
// tests/test_widgets_realkey.py holds numbers, codes, scales and errors to kvlib's.

// Rows of numbers, a token each.
function keysOf({ keys_high, keys_low, unit, rope_theta }, rotated) {
  const high = unpacked(keys_high), low = unpacked(keys_low), [T, D] = high.shape;
  return Array.from({ length: T }, (_, t) => {
    const row = Array.from({ length: D }, (_, c) => (256 * high.at(t, c) + low.at(t, c)) / unit);
    if (rotated) rotate(row, t, { head_dim: D, rope_theta });
    return row.map(half);
  });
}

// cache.codes.Codes: the rows as they are read back, and each number's group, { cells: [[token, channel]…], codes,
// scale, zero, read }, in `of`.
function grouped(rows, bits, size, byChannel) {
  const read = rows.map((row) => row.slice()), of = rows.map(() => []);
  const [outer, inner] = byChannel ? [rows[0].length, rows.length] : [rows.length, rows[0].length];
  for (let i = 0; i < outer; i++) for (let from = 0; from < inner; from += size) {
    const cells = Array.from({ length: size }, (_, n) => (byChannel ? [from + n, i] : [i, from + n]));
    const q = quantize(cells.map(([t, c]) => rows[t][c]), bits);
    const group = { ...q, cells, read: q.codes.map((code) => Math.fround(q.zero + code * q.scale)) };
    cells.forEach(([t, c], n) => { read[t][c] = group.read[n]; of[t][c] = group; });
  }
  return { read, of };
}

// The newest query's score of every token: q·k / √D. Keys kept before rotation are turned as they are read.
function scoresOf(rows, { query, unit, rope_theta }, rotated) {
  const q = unpacked(query), D = q.length;
  return rows.map((row, t) => {
    const k = row.slice();
    if (!rotated) rotate(k, t, { head_dim: D, rope_theta });
    return k.reduce((sum, n, c) => sum + n * q[c], 0) / unit / Math.sqrt(D);
  });
}

// The root of the mean of the squares.
const rms = (numbers) => Math.sqrt(numbers.reduce((sum, n) => sum + n * n, 0) / numbers.length);

// Everything that one way of grouping gives: its groups, the errors [token][channel] and of the scores, their rms.
function quantized(rows, data, { bits, group, rotated }, byChannel) {
  const { read, of } = grouped(rows, bits, group, byChannel), exact = scoresOf(rows, data, rotated);
  const errors = read.map((row, t) => row.map((n, c) => n - rows[t][c]));
  const off = scoresOf(read, data, rotated).map((n, t) => n - exact[t]);
  return { of, errors, off, error: rms(errors.flat()), scores: rms(off) };
}
