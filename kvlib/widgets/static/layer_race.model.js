// What the race computes: who keeps more from where on, its words, and how far its axes reach.
const LETTERS = { full: "F", sliding: "W", chunked: "C", latent: "L", shared: "R", state: "S", cross: "X", none: "–" };

// layer_race.order: [[first context, sign of a's bytes less b's]…] up to `last`; a and b give BigInt.
function order(a, b, bends, last) {
  const sign = (n) => { const more = a(n) - b(n); return more > 0n ? 1 : more < 0n ? -1 : 0; };
  const runs = [[1, sign(1)]], ends = [...bends.filter((n) => n < last), last].sort((x, y) => x - y);
  let at = 1;
  for (const end of ends) {
    // The difference is a straight line here: its sign changes at most twice, by way of 0.
    while (sign(end) !== runs.at(-1)[1]) {
      let low = at, high = end;
      while (high - low > 1) {
        const middle = Math.floor((low + high) / 2);
        if (sign(middle) === runs.at(-1)[1]) low = middle;
        else high = middle;
      }
      runs.push([high, sign(high)]);
      at = high;
    }
    at = end;
  }
  const kept = runs.filter(([n, s], i) => s || !i || runs[i + 1]?.[0] !== n + 1);
  return kept.filter(([, s], i) => !i || s !== kept[i - 1][1]);
}

// LayerRace.said_order
function saidOrder(runs, [one, two], last) {
  const words = { 1: `${one} keeps more`, "-1": `${two} keeps more`, 0: "both keep the same" };
  const [, first] = runs[0];
  if (runs.length === 1) return `${first ? words[first] : "Both keep the same"} at every context up to ${many(last, "token")}${first ? ", never overtaken" : ""}.`;
  return `Up to ${many(runs[1][0] - 1, "token")} ${words[first]}; ${runs.slice(1).map(([n, s]) => `from ${group(n)} on ${words[s]}`).join("; ")}.`;
}

// LayerRace.said_ratio, of [name, bytes] twice.
function saidRatio([one, a], [two, b]) {
  if (a === b) return "Both keep the same.";
  const [less, low, more, high] = a < b ? [one, a, two, b] : [two, b, one, a];
  return low ? `${more} keeps ${fixed(ratio(high, low), 2)} times as much as ${less}.` : `${less} keeps nothing.`;
}

// A strip of groups.py as the figure reads it: `groups` for maths.js with the layers of each, `total(n)` the
// bytes of everything after n tokens and `each(n)` those of one layer of each group.
function racer(name, { kinds, of, shares, ends }, dtype, source) {
  const layers = [...of].map((letter) => letter.charCodeAt(0) - "0".charCodeAt(0));
  const groups = kinds.map((kind, i) => {
    const g = { heads: 0, dim: 0, window: null, state: 0, cross: 0, ...kind };
    return { k: g.heads * g.dim, v: g.heads * g.dim, ...g, layers: layers.filter((k) => k === i).length };
  });
  const reads = kinds.map((_, i) => [...new Set(layers.flatMap((k, at) => (k === i && at in shares ? [shares[at]] : [])))]);
  return {
    name, layers, groups, reads, shares, ends,
    parts: (n) => breakdown(groups, n, 1, dtype, source),
    total: (n) => layoutBytes(groups, n, 1, dtype, source),
    each: (n) => groups.map((g) => layoutBytes([{ ...g, layers: 1 }], n, 1, dtype, source)),
    one: breakdown(groups, 1, 1, dtype, 1).cross,
    token: groups.map((g) => tokenBytes(g, dtype)),
    bends: groups.flatMap((g) => (g.window === null ? [] : [g.window])),
  };
}

// Where the scrubber stops between 1 and `last`, evenly or by equal factors.
function stopsTo(last, log) {
  const all = Array.from({ length: 65 }, (_, i) => Math.round(log ? last ** (i / 64) : (last * i) / 64));
  return [...new Set(all.map((n) => Math.max(1, n)))];
}

// An axis of bytes, from 0 or, where `log`, from below the least of `first`, that reaches the most of `last`
// (lists of BigInt): at(bytes) is from 0 to 1; the ticks are powers of two or multiples of one, the last its end.
function byteAxis(first, last, log) {
  const sorted = (list) => list.filter((n) => n).sort((a, b) => (a < b ? -1 : 1));
  const least = sorted(first)[0] ?? 1n, most = sorted(last).at(-1) ?? 1n;
  if (!log) {
    let step = 1n;
    while (step * 6n <= most) step *= 2n;
    const n = (most + step - 1n) / step;
    return { ticks: Array.from({ length: Number(n) + 1 }, (_, i) => BigInt(i) * step), at: (bytes) => ratio(bytes, n * step) };
  }
  const power = (n) => Math.log2(Number(n)), low = Math.max(0, Math.floor(power(least)) - 1), every = Math.ceil((power(most) - low) / 5) || 1;
  const count = Math.ceil((power(most) - low) / every) || 1;
  return { ticks: Array.from({ length: count + 1 }, (_, i) => 2n ** BigInt(low + i * every)), at: (bytes) => (bytes ? Math.max(0, (power(bytes) - low) / (count * every)) : 0) };
}
