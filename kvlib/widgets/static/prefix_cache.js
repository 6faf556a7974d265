// The prefix cache: each prompt a chain of blocks with their hashes, the memory's blocks below, those that are free
// in the order in which they will be taken. prefix_cache.model.js computes every moment.

// So much of a hash is shown, and a chip's way to its new place takes so long, in ms.
const SHORT = 6, WAY = 320;

function render({ model, el }) {
  const f = figure(el, model), letters = ["A", "B"], requests = [1, 2, 3, 4, 5];
  const most = Number(f.get("limits").a.match(/,(\d+)\}/)[1]);
  f.el.classList.add("kv-prefix");

  const written = h("div", { class: "kv-prefix-written" }), played = h("div", { class: "kv-prefix-played" });
  for (const letter of letters) prompt(f, letter, most, written);
  player(f, "step", { label: "Moment", pace: 1400, at: played });
  const result = verdict(f), said = sentence();
  const chains = letters.map((letter, n) => chain(letter, letters[1 - n])), memory = pool();
  const sent = h("div", { class: "kv-prefix-sent", role: "group", "aria-labelledby": `${f.id}-sent` });
  for (const i of requests) choice(f, `sent_${i}`, { label: `Request ${i}`, at: sent });
  choice(f, "block_size", { label: "Block size", names: Object.fromEntries(f.get("limits").block_size.map((n) => [n, `${n} words`])) });
  number(f, "memory", { label: "Memory", unit: "blocks" });
  number(f, "other", { label: "Other traffic", unit: "words" });
  result.el.before(written);
  result.el.append(played);
  f.body.append(said.el, ...chains.map((one) => one.el), memory.el);
  f.body.after(h("p", { class: "kv-heading", id: `${f.id}-sent` }, "What is sent: A, B, or other words each time"), sent, f.controls);
  share(f, "prefix");

  const now = () => {
    const size = f.get("block_size"), words = { A: wordsOf(f.get("a")), B: wordsOf(f.get("b")) };
    const others = requests.map((i) => Array.from({ length: f.get("other") }, (_, n) => `${i}.${n + 1}`));
    return { size, cuts: letters.map((letter) => cut(words[letter], size)), who: requests.map((i) => f.get(`sent_${i}`)),
      moments: story(requests.map((i) => { const who = f.get(`sent_${i}`); return [who, words[who] ?? others[i - 1]]; }), f.get("memory"), size) };
  };
  // A moment is drawn many times while the figure plays and is measured: all of them are computed once.
  let of = "", all = null;
  const computed = () => {
    const key = JSON.stringify(Object.keys(f.get("limits")).filter((name) => name !== "step").map(f.get));
    if (of !== key) [of, all] = [key, now()];
    return all;
  };

  f.draw(() => {
    const { cuts, who, moments } = computed(), step = f.get("step"), moment = moments[step];
    const labels = new Map();
    cuts.forEach((pieces, n) => pieces.forEach(({ name }, i) => { if (name) labels.set(name, [...(labels.get(name) ?? []), `${letters[n]}${i + 1}`]); }));
    const ends = open(moments, step, who), { hits, queries } = moment;
    said.show(moment.said, moments);
    chains.forEach(({ show }, n) => show(cuts[n], cuts[1 - n], moment, who[moment.request - 1] === letters[n], ends));
    memory.show(moment, (name) => labels.get(name)?.join(", ") ?? "other", ends);
    result.show(`Hit rate ${queries ? `${fixed((100 * hits) / queries, 0)} %` : "–"}`, { why: `${group(hits)} of ${many(queries, "word")} found, ${group(queries - hits)} computed` });
    f.say(`Moment ${step}. ${moment.said}`);
    f.table("Five requests, moment by moment", ["moment", "what happens", "blocks in use", "words found so far"], moments.map((m, i) =>
      [i, m.said, `${m.names.length - m.free.length} of ${m.names.length}`, `${group(m.hits)} of ${group(m.queries)}`]));
  });
}

// What happens, with the room of the longest sentence, so that the page keeps still while the figure plays: the
// longest lie unseen in the same place.
function sentence() {
  const seen = h("span"), el = h("p", { class: "kv-prefix-said" }, seen);
  let of = null;
  const show = (text, moments) => {
    seen.textContent = text;
    if (of === moments) return;
    of = moments;
    const longest = moments.map(({ said }) => said).sort((a, b) => b.length - a.length).slice(0, 3);
    el.replaceChildren(seen, ...longest.map((one) => h("span", { class: "kv-prefix-room", "aria-hidden": "true" }, one)));
  };
  return { el, show };
}

// What each request's last block was taken for, by the block's number: if it is not full, it has no name to tell.
function open(moments, step, who) {
  const labels = new Map();
  for (const { kind, request, table } of moments.slice(0, step + 1)) {
    if (kind === "compute" && table.length) labels.set(table.at(-1), who[request - 1] === "other" ? "other" : `${who[request - 1]}${table.length}`);
  }
  return labels;
}

// What the reader writes a prompt in. What is longer than a prompt may be is cut, and a notice says so.
function prompt(f, letter, most, at) {
  const id = newId(), key = letter.toLowerCase();
  const area = h("textarea", { id, rows: 4, spellcheck: "false", oninput: () => {
    const text = held(area.value, most);
    f.notice(area.value.length > most ? `A prompt has at most ${most} characters: held at the first ${most}.` : "");
    f.set(key, text, REST);
    if (area.value !== text) area.value = text;
  }, onchange: () => f.send() });
  at.append(h("div", { class: "kv-prefix-prompt" }, h("label", { for: id }, `Prompt ${letter}`), area));
  follow(f, key, () => { if (area.value !== f.get(key)) area.value = f.get(key); });
}

// A prompt's blocks. show(pieces, others, moment, mine, ends): `others` are the other prompt's, `mine` is whether
// the moment is about this one, `ends` what open() says.
function chain(letter, other) {
  const list = h("ol", { class: "kv-prefix-chain" }), heading = h("p", { class: "kv-heading" });
  let of = null, cards = [];
  const build = (pieces, others) => {
    const flat = others.flatMap(({ words }) => words), words = pieces.flatMap((piece) => piece.words);
    const first = words.findIndex((word, i) => word !== flat[i]), full = pieces.filter(({ name }) => name).length;
    const alike = pieces.filter(({ name }, i) => name && name === others[i]?.name).length;
    heading.textContent = `Prompt ${letter}: ${many(words.length, "word")}, ${many(full, "full block")}, ${alike || "none"} named as in ${other}`;
    let at = 0;
    cards = pieces.map((piece, i) => {
      const start = at, twin = others[i], same = piece.name !== null && piece.name === twin?.name, where = h("p", { class: "kv-prefix-where" });
      at += piece.words.length;
      const compared = !piece.name ? "not full, no hash" : same ? `as ${other}${i + 1}` : !twin?.name ? `not in ${other}`
        : piece.words.every((word, n) => word === twin.words[n]) ? "same words, other parent" : i && first < start ? "other words and parent" : "other words";
      const card = h("li", {},
        h("p", { class: "kv-prefix-words" }, h("b", {}, `${letter}${i + 1} `), piece.words.flatMap((word, n) => [h(start + n === first ? "mark" : "bdi", {}, word), " "])),
        h("p", { class: "kv-prefix-name" }, piece.name ? h("code", {}, piece.name.slice(0, SHORT)) : "–", h("span", {}, ` ${compared}`)), where);
      return { card, where, broken: piece.name && !same ? " kv-prefix-broken" : "" };
    });
    list.replaceChildren(...cards.map(({ card }) => card));
  };
  const show = (pieces, others, moment, mine, ends) => {
    if (of !== pieces) build(pieces, others);
    of = pieces;
    for (const [i, { card, where, broken }] of cards.entries()) {
      const [kind, text] = place(pieces[i], i, moment, mine, (block) => ends.get(block) === `${letter}${i + 1}`);
      card.className = `kv-prefix-block kv-prefix-${kind}${broken}`;
      where.textContent = text;
    }
  };
  return { el: h("div", {}, heading, list), show };
}

// Where a block of a prompt is: [class, words]. A block that is not full is there only while it is in use.
function place({ name }, i, { kind, found, table, names, refs }, mine, ends) {
  if (mine && kind === "compute" && table.length) return i < found.length ? ["hit", `hit: block ${table[i]}`] : ["computed", `new: block ${table[i]}`];
  if (mine && kind === "look" && i < found.length) return ["hit", `hit: block ${found[i]}`];
  const blocks = names.flatMap((held, block) => ((name ? held === name : held === null && refs[block] && ends(block)) ? [block] : []));
  return blocks.length ? ["there", `in block${blocks.length > 1 ? "s" : ""} ${blocks.join(", ")}`] : ["away", "not in the cache"];
}

// 1st, 2nd, 3rd, 4th… 11th… 21st…
const ordinal = (n) => `${n}${(n % 100 - n % 10 !== 10 && ["th", "st", "nd", "rd"][n % 10]) || "th"}`;

// The memory: the free blocks in the order in which they will be taken, then those in use, a chip each.
function pool() {
  const chips = [], free = h("ol", { "aria-label": "Free blocks, the next to be taken first" }), used = h("ul", { "aria-label": "Blocks in use" });
  const head = (text) => h("p", { class: "kv-prefix-head", "aria-hidden": "true" }, text);
  const grid = h("div", { class: "kv-prefix-pool" }, head("Free, in turn →"), free, head("In use"), used);
  const el = h("div", {}, h("p", { class: "kv-heading" }, "The memory, a block each"), grid);
  let before = new Map(), wide;
  const show = ({ names, refs, free: order, evicted }, label, ends) => {
    while (chips.length < names.length) chips.push(h("li"));
    const lost = new Map(evicted);
    for (const [block, name] of names.entries()) {
      const chip = chips[block], users = refs[block], held = name ? label(name) : users ? ends.get(block) : "empty";
      const texts = [block, users ? many(users, "user") : `free, ${ordinal(order.indexOf(block) + 1)}`, name ? name.slice(0, SHORT) : "no hash", lost.has(block) ? label(lost.get(block)) : "", held];
      if (chip.look === texts.join()) continue;
      chip.look = texts.join();
      chip.className = `kv-prefix-chip ${users ? "kv-prefix-used" : name ? "kv-prefix-kept" : "kv-prefix-empty"}`;
      chip.replaceChildren(h("b", {}, texts[0]), h("span", { class: "kv-quiet" }, texts[1]), h("code", {}, texts[2]),
        h("span", {}, texts[3] ? [h("del", {}, texts[3]), " "] : null, held));
    }
    free.replaceChildren(...order.map((block) => chips[block]));
    used.replaceChildren(...names.flatMap((_, block) => (refs[block] ? [chips[block]] : [])));
    const places = new Map(names.map((_, block) => [block, [chips[block].offsetLeft, chips[block].offsetTop]]));
    for (const [block, [x, y]] of places) {
      const [fromX, fromY] = before.get(block) ?? [x, y];
      if (!calm() && el.clientWidth === wide && (fromX !== x || fromY !== y)) chips[block].animate([{ transform: `translate(${fromX - x}px, ${fromY - y}px)` }, { transform: "none" }], { duration: WAY, easing: "ease-in-out" });
    }
    before = places;
    wide = el.clientWidth;
  };
  return { el, show };
}
