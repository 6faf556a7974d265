// A cache that you can damage: every word of a story is a column of the cache, and the model of damage.model.js
// writes the end from the columns that are left, beside what it writes from all of them.

const BITS = { 16: "fp16", 8: "int8-g16", 4: "int4-g16", 2: "int2-g16" };

// Words as people write them: no space before a full stop or a comma.
const spaced = (word) => (/^[.,]$/.test(word) ? word : ` ${word}`);

// In one go the page computes no longer than this, in ms, so that it stays quick where the processor is slow; and
// what has been written until then is drawn so often.
const SLICE = 6, REDRAW = 60;

// What the model writes with a damage: { made, done, advance() }, remembered. `made` grows by what written() yields
// with every advance(), which computes for a slice. A prompt is read anew only if what is kept of it changes, and
// dropping changes nothing of that.
function writer(model, stories) {
  const prefills = new Map(), jobs = new Map();
  return (story, damage) => {
    const { prompt, told } = stories[story], { bits, window, sinks, rotation, dropped } = damage;
    const kept = [story, bits, window, sinks, rotation].join(), key = `${kept} ${[...dropped]}`;
    if (jobs.has(key)) return jobs.get(key);
    for (const map of [jobs, prefills]) if (map.size > 30) map.clear();
    const steps = function* () {
      let { cache, said } = prefills.get(kept) ?? {};
      if (!cache) {
        cache = empty(model, prompt.length, { ...damage, dropped: new Set() });
        for (const [i, token] of prompt.entries()) yield said = step(cache, token, i === prompt.length - 1);
        prefills.set(kept, { cache, said });
      }
      for (const made of written({ cache: copied(cache, damage), said }, told.length)) yield job.made.push(made);
    }();
    const job = { made: [], done: false, advance: () => {
      const end = performance.now() + SLICE;
      while (!job.done && performance.now() < end) job.done = steps.next().done;
    } };
    jobs.set(key, job);
    return job;
  };
}

function render({ model: state, el }) {
  const f = figure(el, state);
  const model = tinyModel(f.get("data")), most = f.get("limits").step[1];
  // `told` is the end that the undamaged model writes; tests hold it to that.
  const stories = f.get("data").stories.map(({ prompt, end, facts }) => ({
    words: prompt.split(" "), prompt: prompt.split(" ").map((word) => model.ids.get(word)),
    told: end.split(" ").slice(0, most), facts: facts.map(([at]) => at) }));
  const write = writer(model, stories);

  choice(f, "story", { label: "Story", names: Object.fromEntries(stories.map(({ told, facts }, i) =>
    [i + 1, `${i + 1}: ${facts.filter((_, n) => n % 4 === 0).reverse().map((at) => told[at]).join(", ")}`])) });
  choice(f, "bits", { label: "Bits a number", names: { 16: "16 (fp16)", 8: "8 (int8)", 4: "4 (int4)", 2: "2 (int2)" } });
  choice(f, "window", { label: "Window", names: { 0: "every token", 64: "the last 64", 48: "the last 48", 32: "the last 32", 16: "the last 16" } });
  choice(f, "sinks", { label: "Sinks", names: { 0: "none", 1: "the first token", 4: "the first 4" } });
  player(f, "step", { label: "Written", unit: "tokens", pace: 160 });
  checkbox(f, "rotation", { label: "Turn each key by its position" });
  const result = verdict(f);

  const places = () => new Set(f.get("dropped").split(".").filter(Boolean).map(Number));
  const list = columns(f, (place) => {
    const gone = places();
    if (!gone.delete(place)) gone.add(place);
    f.set("dropped", [...gone].sort((a, b) => a - b).join("."));
  });
  const ends = [end("From the whole cache"), end("From this cache")];
  const texts = h("div", { class: "kv-ends" }, ends.map(({ el }) => el));
  f.body.append(
    h("p", { class: "kv-heading", id: `${f.id}-columns` }, "The cache, a column for each token"),
    h("p", { class: "kv-small kv-quiet" }, "Facts are the names, places, colours and things. Choose a word to drop its keys and values from every layer; choose it again to have them back. Bold words are the model’s own. The longer the line in a column, the more of its attention a head gave it to write the newest word."),
    list.el,
    h("div", { class: "kv-buttons" }, button("Keep every token", () => f.set("dropped", ""))),
    texts);
  share(f, "damage");

  let waiting = null;
  const draw = () => {
    const index = f.get("story") - 1, story = stories[index], bits = f.get("bits"), gone = places();
    const damage = { bits, window: f.get("window") || null, sinks: f.get("sinks"), rotation: f.get("rotation"), dropped: gone };
    const job = write(index, damage);
    job.advance();
    const drawn = performance.now();
    const goOn = () => {
      job.advance();
      if (job.done || performance.now() - drawn > REDRAW) draw();
      else waiting = setTimeout(goOn);
    };
    clearTimeout(waiting);
    if (!job.done) waiting = setTimeout(goOn);
    const said = job.made.map((made) => model.words[made.token]), steps = Math.min(f.get("step"), said.length);
    const length = story.words.length + Math.max(0, steps - 1);
    const kept = new Set(held(length - 1, length, damage).filter((place) => !gone.has(place)));

    // Every token, those to come as well, which keep their room: the undamaged model's, until this one's are made.
    const words = [...story.words, ...story.told.map((word, n) => said[n] ?? word)], shown = story.words.length + steps;
    list.show(words.map((text, place) => {
      const n = place - story.words.length;
      return { text, kind: kind(place, length, kept, gone, damage), told: n >= 0, differs: n >= 0 && text !== story.told[n] };
    }), shown, Number(bytesOf(bits)) / Number(bytesOf(16)), steps ? job.made[steps - 1].read : []);
    texts.setAttribute("aria-busy", String(!job.done));
    ends[0].show(story.told, story.told, steps);
    ends[1].show(words.slice(story.words.length), story.told, steps);

    const told = story.facts.filter((at) => at < steps), right = told.filter((at) => said[at] === story.told[at]);
    const bytes = BigInt(kept.size) * bytesOf(bits), full = BigInt(length) * bytesOf(16);
    const facts = told.length ? `${right.length} of ${told.length} facts right` : "No fact told yet";
    result.show(facts, { bad: right.length < told.length,
      why: `This cache: ${many(kept.size, "token")}, ${group(bytes)} bytes. Whole: ${many(length, "token")}, ${group(full)} bytes.` });
    if (steps < f.get("step") && !job.done) return;
    f.say(`${facts}. The cache takes ${group(bytes)} of ${group(full)} bytes. It writes: ${said.slice(0, steps).map(spaced).join("").trim()}`);
    f.table("Each token of the end, and the token that a head read most of to write it", ["token", "from the whole cache", "from this cache", "compared", "read most of"],
      said.slice(0, steps).map((word, n) => {
        const place = likeliest(job.made[n].read);
        return [n + 1, story.told[n], word, word === story.told[n] ? "same" : "differs", `${words[place]} (${place + 1})`];
      }));
  };
  f.draw(draw);

  function bytesOf(bits) {
    const { layers: n_layers, n_kv_heads, head_dim } = f.get("data").shape;
    return kvBytes({ n_layers, n_kv_heads, head_dim, context: 1, batch: 1, dtype: f.get("dtypes")[BITS[bits]] });
  }
}

// What became of a column: "newest" goes into the cache with the next step.
function kind(place, length, kept, gone, { window, sinks }) {
  if (place >= length) return "newest";
  if (gone.has(place)) return "dropped";
  if (!kept.has(place)) return "outside";
  return window !== null && place < sinks && place < length - window ? "sink" : "kept";
}
// Less of a head's attention than this is not drawn.
const LEAST_READ = 0.05;
const KINDS = { newest: "not in the cache yet", dropped: "dropped", outside: "out of the window", sink: "kept as a sink", kept: "kept" };

// Sets `node` by put(), unless it looks so already: `look` is a text that names all that put() depends on.
function set(node, look, put) {
  if (node.look === look) return;
  node.look = look;
  put();
}

// A text with a heading. show(words, told, steps): the first `steps` words, and room for the rest; words that are
// not those of `told` are marked.
function end(name) {
  const spans = [], text = h("p", { class: "kv-text" });
  const show = (words, told, steps) => {
    while (spans.length < words.length) {
      spans.push(h("span"));
      text.append(spans.at(-1));
    }
    for (const [n, word] of words.entries()) {
      const differs = word !== told[n], later = n >= steps;
      set(spans[n], `${word} ${differs} ${later}`, () => {
        spans[n].className = later ? "kv-later" : "";
        spans[n].replaceChildren(...(differs ? [spaced(word).slice(0, -word.length), h("mark", { class: "kv-differs" }, word)] : [spaced(word)]));
      });
    }
  };
  return { el: h("div", {}, h("p", { class: "kv-heading" }, name), text), show };
}

// The columns, a list to choose from: by pointer, or with arrows and the space bar. chosen(place) is called with
// the place of a token; show(tokens, shown, part, read) draws: the first `shown` can be seen, a kept column is
// `part` as high as one in fp16, and `read` holds how much was read of each.
function columns(f, chosen) {
  const el = h("div", { class: "kv-columns-list", role: "listbox", tabindex: 0, "aria-multiselectable": "true",
    "aria-labelledby": `${f.id}-columns`, onclick: (event) => {
      const option = event.target.closest("[role=option]");
      if (option) { move(options.indexOf(option)); chosen(current); }
    },
    onkeydown: (event) => {
      const to = { ArrowLeft: current - 1, ArrowRight: current + 1, ArrowUp: row(-1), ArrowDown: row(1), Home: 0, End: last - 1 }[event.key];
      if (to !== undefined) move(Math.min(last - 1, Math.max(0, to)));
      else if (event.key === " " || event.key === "Enter") chosen(current);
      else return;
      event.preventDefault();
    } });
  const options = [];
  let current = 0, last = 0;
  const move = (to) => {
    options[current].classList.remove("kv-current");
    options[current].look = options[to].look = null;
    current = to;
    options[current].classList.add("kv-current");
    el.setAttribute("aria-activedescendant", options[current].id);
  };
  // The token above or below the current one.
  const row = (way) => {
    const from = options[current], middle = from.offsetLeft + from.offsetWidth / 2;
    let best = current, near = Infinity;
    for (let i = current + way; i >= 0 && i < last; i += way) {
      const { offsetTop, offsetLeft, offsetWidth } = options[i];
      if (offsetTop === from.offsetTop) continue;
      const off = Math.abs(offsetLeft + offsetWidth / 2 - middle);
      if (off >= near) break;
      [best, near] = [i, off];
    }
    return best;
  };
  const show = (tokens, shown, part, read) => {
    last = shown;
    while (options.length < tokens.length) {
      const option = h("span", { id: newId() }, h("span", { class: "kv-word" }), h("i", { class: "kv-read", "aria-hidden": "true" }));
      options.push(option);
      el.append(option);
    }
    el.style.setProperty("--part", part);
    for (const [i, option] of options.entries()) {
      const { text = "", kind = "", told, differs } = tokens[i] ?? {}, later = i >= shown;
      set(option, `${text} ${kind} ${told} ${differs} ${later} ${i === current}`, () => {
        option.hidden = !text;
        option.firstChild.textContent = text;
        option.className = later ? "kv-column kv-later" :
          `kv-column kv-is-${kind}${told ? " kv-told" : ""}${differs ? " kv-differs" : ""}${i === current ? " kv-current" : ""}`;
        if (later) for (const name of ["role", "aria-label", "aria-selected"]) option.removeAttribute(name);
        else fill(option, { role: "option", "aria-selected": String(kind === "dropped"), "aria-label": `${text}: ${KINDS[kind]}${differs ? ", differs" : ""}` }, []);
      });
      const width = later || !(read[i] >= LEAST_READ) ? 0 : Math.round(100 * read[i]);
      set(option.lastChild, String(width), () => { option.lastChild.style.width = `${width}%`; });
    }
    if (current >= last) move(last - 1);
    else move(current);
  };
  return { el, show };
}
