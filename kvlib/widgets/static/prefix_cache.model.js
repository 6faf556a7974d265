// kvlib.serving.PrefixCache and the story of widgets/prefix_cache.py in the page, which follows what is written.
// tests/test_widgets_prefix_cache_model.py holds every hash, every block and every sentence to Python's.

// SHA-256 (FIPS 180-4) of a text in ASCII, in hex. Its constants are the first 32 bits behind the point of the
// cube roots of the first 64 primes, and of the square roots of the first 8.
const sha256 = (() => {
  const primes = Array.from({ length: 310 }, (_, i) => i + 2).filter((n) => !Array.from({ length: n - 2 }, (_, i) => i + 2).some((d) => n % d === 0));
  const behind = (x) => ((x - Math.floor(x)) * 2 ** 32) >>> 0;
  const K = primes.map((p) => behind(Math.cbrt(p))), START = primes.slice(0, 8).map((p) => behind(Math.sqrt(p)));
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  return (text) => {
    const words = new Uint32Array(16 * Math.ceil((text.length + 9) / 64));
    const put = (i, byte) => { words[i >> 2] |= byte << (24 - 8 * (i % 4)); };
    for (let i = 0; i < text.length; i += 1) put(i, text.charCodeAt(i));
    put(text.length, 0x80);
    words[words.length - 1] = 8 * text.length;
    const state = Uint32Array.from(START), w = new Uint32Array(64);
    for (let at = 0; at < words.length; at += 16) {
      w.set(words.subarray(at, at + 16));
      for (let i = 16; i < 64; i += 1) {
        const x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ (x >>> 3)) + w[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ (y >>> 10));
      }
      let [a, b, c, d, e, f, g, h] = state;
      for (let i = 0; i < 64; i += 1) {
        const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [a, b, c, d, e, f, g, h] = [(one + two) | 0, a, b, c, (d + one) | 0, e, f, g];
      }
      [a, b, c, d, e, f, g, h].forEach((x, i) => { state[i] += x; });
    }
    return [...state].map((x) => x.toString(16).padStart(8, "0")).join("");
  };
})();

const ascii = (text) => text.replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
const blockName = (parent, tokens) => sha256(parent + ascii(JSON.stringify(tokens)));

// The words of a text, as Python's words() has them.
const wordsOf = (text) => text.match(/[^ \t\n\v\f\r]+/g) ?? [];
// As many of a text's characters as a prompt may have, without half a surrogate pair.
const held = (text, most) => text.slice(0, most).replace(/\p{Surrogate}/gu, "\ufffd");

// `tokens` in pieces of `size`, each with its name; a last piece that is not full has none (null).
function cut(tokens, size) {
  const pieces = [];
  for (let at = 0, parent = ""; at < tokens.length; at += size) {
    const piece = tokens.slice(at, at + size), full = piece.length === size;
    pieces.push({ words: piece, name: full ? parent = blockName(parent, piece) : null });
  }
  return pieces;
}

// PrefixCache: prompts are given as cut() has them. free, names and refs are those of the blocks.
class Cache {
  constructor(blocks, size) {
    Object.assign(this, { size, hits: 0, queries: 0, named: new Map(), inside: new Map() });
    this.free = Array.from({ length: blocks }, (_, block) => block);
    this.names = this.free.map(() => null);
    this.refs = this.free.map(() => 0);
  }
  has(name) { return this.named.get(name)?.[0]; }
  lookup(pieces) {
    const found = pieces.slice(0, -1).map(({ name }) => this.has(name)), missing = found.indexOf(undefined);
    return missing < 0 ? found : found.slice(0, missing);
  }
  needs(pieces) { return pieces.length - this.lookup(pieces).filter((block) => this.refs[block]).length; }
  admit(id, pieces) {
    const found = this.lookup(pieces), evicted = [];
    for (const block of found) this.refs[block] += 1;
    this.free = this.free.filter((block) => !this.refs[block]);
    const own = pieces.slice(found.length).map(({ name }) => {
      const block = this.free.shift(), old = this.names[block];
      if (old !== null) {
        evicted.push([block, old]);
        const left = this.named.get(old).filter((other) => other !== block);
        if (left.length) this.named.set(old, left);
        else this.named.delete(old);
      }
      this.refs[block] = 1;
      this.names[block] = name;
      if (name !== null) this.named.set(name, [...(this.named.get(name) ?? []), block]);
      return block;
    });
    const cached = found.length * this.size;
    this.queries += pieces.reduce((sum, { words }) => sum + words.length, 0);
    this.hits += cached;
    this.inside.set(id, [...found, ...own]);
    return { found, own, cached, evicted };
  }
  release(id) {
    for (const block of this.inside.get(id).toReversed()) {
      this.refs[block] -= 1;
      if (!this.refs[block]) this.free[this.names[block] === null ? "unshift" : "push"](block);
    }
    this.inside.delete(id);
  }
}

// Story of widgets/prefix_cache.py: its moments, `sent` being [who, words] of each request.
function story(sent, memory, size) {
  const cache = new Cache(memory, size), moments = [], be = (n) => (n === 1 ? "is" : "are");
  const listed = (all) => (all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${all.at(-1)}` : `${all}`);
  const add = (kind, request, said, { found = [], table = [], evicted = [] } = {}) => moments.push({ kind, request, said, found, table, evicted,
    names: [...cache.names], refs: [...cache.refs], free: [...cache.free], hits: cache.hits, queries: cache.queries });
  const requests = sent.map(([who, prompt], i) => {
    const pieces = cut(prompt, size);
    return { name: `Request ${i + 1}, ${who === "other" ? "another user’s" : who},`, prompt, pieces, fits: pieces.length > 0 && pieces.length <= memory };
  });

  const look = (i) => {
    const { name, prompt, pieces, fits } = requests[i - 1];
    if (!prompt.length) return void add("look", i, `${name} has no word: nothing is sent.`);
    const found = cache.lookup(pieces), n = found.length, covered = many(n * size, "word");
    const again = n === pieces.length - 1 && cache.has(pieces[n].name) !== undefined;
    let where = prompt.length < size ? "It fills no block, so it has none to look for."
      : n === 1 ? `Its first block, ${covered}, is found.`
      : n ? `Its first ${n} blocks, ${covered}, are found.` : again ? "" : "None of its blocks is found.";
    if (again) where += `${n ? " Its last block is in the cache too" : "Its only block is in the cache"}, but the last word is always computed, with its block.`;
    const asked = cache.needs(pieces), free = cache.free.length, waits = fits && asked > free;
    if (waits) where += ` It needs ${many(asked, "free block")} and there ${be(free)} ${free}: it waits.`;
    add("look", i, `${name} is looked up: ${many(prompt.length, "word")}. ${where}`, { found });
    return waits;
  };
  const compute = (i) => {
    const { name, prompt, pieces, fits } = requests[i - 1];
    if (!prompt.length) return add("compute", i, `${name} has no word: nothing is computed.`);
    if (!fits) return add("compute", i, `${name} is refused: it needs ${pieces.length} blocks, and the memory has ${memory}.`);
    const { found, own, cached, evicted } = cache.admit(i, pieces);
    let said = `${name} computes ${many(prompt.length - cached, "word")}${found.length ? ` of ${group(prompt.length)}` : ""} and takes ${own.length === 1 ? "block" : "blocks"} ${listed(own)}.`;
    if (evicted.length) said += ` Evicted, as free for longest: ${listed(evicted.map(([block]) => block))}.`;
    return add("compute", i, said, { found, table: [...found, ...own], evicted });
  };
  const release = (i) => {
    if (!i) return;
    const { name, prompt, pieces, fits } = requests[i - 1];
    if (!fits) return void add("release", i, `${name} was not computed: it has nothing to give back.`);
    const table = cache.inside.get(i);
    cache.release(i);
    const freed = table.filter((block) => !cache.refs[block]).length;
    let said = `${name} is answered. ${freed} of its ${many(pieces.length, "block")} ${be(freed)} free now`;
    said += freed ? ", to be found until they are taken, the last one first." : "; others use them.";
    if (prompt.length % size) said += ` Block ${table.at(-1)} is not full, so it has no name and goes to the front.`;
    add("release", i, said, { table });
  };

  add("start", 0, `The memory is empty: ${many(memory, "block")} of ${many(size, "word")} each.`);
  for (let i = 1; i <= sent.length; i += 1) {
    if (look(i)) { release(i - 1); compute(i); }
    else { compute(i); release(i - 1); }
  }
  release(sent.length);
  return moments;
}
