// A model of the reader's own: its config.json pasted, or a file of it, a GGUF file's header too. kvlib reads it; the
// figures of the page are given its layers and its budget. A small config can be shared: #ask.config=….

kvAsk.forms.config = (bar) => {
  const { make, field, press } = kvAsk;
  const MiB = 2 ** 20;
  const GGUF = 24 * MiB; // of such a file its first bytes, in which its header is
  const CONFIG = 4 * MiB; // of any other
  const SHOWN = 64 * 1024; // bytes of a file that stands in the field
  const LONGEST = 8_000; // characters of a link's model
  const home = new URL("../../book/", document.querySelector("script[src*='ask-config.js']").src);
  let file = null, name = "config.json";

  const area = make("textarea", { rows: 7, spellcheck: false, autocomplete: "off" });
  const taken = make("p", { className: "kv-help" });
  const input = (properties) => make("input", { type: "text", autocomplete: "off", spellcheck: false, ...properties });
  const options = {
    contexts: input({ value: "8192 32768 131072" }), dtype: make("select"), source_len: input({ inputMode: "numeric" }),
    gpu: input({ placeholder: "H100:2" }),
  };
  for (const dtype of ["", "bf16", "fp16", "fp8", "int8", "q8_0", "q4_0"]) {
    options.dtype.append(make("option", { value: dtype, textContent: dtype || "bf16, unless the checkpoint says otherwise" }));
  }
  const chooser = kvAsk.file("Or a file", "A config.json, or a GGUF file, of which the header is read; or drop it here.", take);
  const details = make("details", {}, make("summary", { textContent: "Contexts, precision, GPU" }),
    field("Contexts, in tokens (--context)", options.contexts, "Up to six, with blanks between: 8192 32k 128Ki."),
    field("The cache's precision (--dtype)", options.dtype),
    field("Source, in tokens (--source-len)", options.source_len, "For cross attention alone: the tokens of the encoder's output or picture; 0 for none."),
    field("GPU (--gpu)", options.gpu, "Named, kvlib fit says what fits on it at the first context."));
  const share = press("Copy a link to this model", copy);

  async function take(chosen) {
    file = chosen;
    name = chosen.name;
    area.value = "";
    taken.textContent = `Taken: ${name.slice(0, 200)}, ${chosen.size.toLocaleString("en")} bytes.`;
    if (chosen.size > SHOWN) return;
    try {
      const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await chosen.arrayBuffer());
      if (file === chosen) area.value = text.startsWith("GGUF") ? "" : text;
    } catch {
      // No text: kvlib says what it is.
    }
  }
  area.addEventListener("input", () => {
    file = null;
    chooser.input.value = "";
    taken.textContent = "";
    if (!area.value) name = "config.json";
  });

  const told = () => Object.fromEntries(Object.entries(options).map(([key, control]) => [key, control.value.trim()]));

  async function send() {
    if (!file) {
      if (!area.value.trim()) throw new Error("Paste a config.json, or choose a file.");
      return { text: area.value, file: name, ...told() };
    }
    const gguf = (await file.slice(0, 4).text()) === "GGUF", most = gguf ? GGUF : CONFIG;
    return { file: name, data: await kvAsk.base64(file.slice(0, most)), size: file.size, ...told() };
  }

  // ---- a link

  async function packed() {
    if (file && !area.value) return null; // of a GGUF file no link is made
    const text = await kvAsk.packed({ text: area.value, file: name, ...told() });
    return text.length <= LONGEST ? text : null;
  }

  async function copy() {
    const text = area.value.trim() && (await packed());
    if (!text) return drawn.say("There is no config here that is small enough for a link.");
    const params = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    params.set("ask.config", text);
    history.replaceState(null, "", `#${params}`);
    try {
      await navigator.clipboard.writeText(location.href);
      drawn.say("Copied. The link holds the config itself.");
    } catch {
      drawn.say("The address bar now holds this config: copy it from there.");
    }
  }

  async function linked() {
    const text = new URLSearchParams(location.hash.slice(1)).get("ask.config");
    if (text === null) return;
    try {
      if (text.length > LONGEST) throw new Error("it is too long");
      const found = await kvAsk.unpacked(text);
      const known = ["text", "file", ...Object.keys(options)];
      if (!known.every((key) => typeof found[key] === "string") || Object.keys(found).length !== known.length) throw new Error("it holds something else");
      if (![...options.dtype.options].some(({ value }) => value === found.dtype)) throw new Error("its precision is none of these");
      file = null;
      name = found.file;
      area.value = found.text;
      for (const [key, control] of Object.entries(options)) control.value = found[key];
      taken.textContent = "The link's config stands here.";
      drawn.say("");
    } catch {
      drawn.say("The link's config can't be read: it was cut off, or is none of this page's.", area);
    }
  }

  // ---- the answer

  function table(answer) {
    const size = ([words, bytes]) => make("td", {}, words, make("small", { textContent: ` ${bytes} bytes` }));
    const row = ({ engine, refused, stored, per_token, sizes }) => {
      const head = make("th", { scope: "row", textContent: engine });
      return refused ? make("tr", {}, head, make("td", { colSpan: 2 + answer.contexts.length, textContent: `kvlib: ${refused}` }))
        : make("tr", {}, head, make("td", { textContent: stored }), size(per_token), ...sizes.map(size));
    };
    const heads = ["engine", "kept in", "one more token", ...answer.contexts.map((n) => `${n} ${n === "1" ? "token" : "tokens"}`)];
    const box = make("div", { className: "kv-wide", tabIndex: 0, ariaLabel: "The bytes of the cache" },
      make("table", {}, make("caption", { textContent: `One sequence of ${answer.name}, as each engine keeps it` }),
        make("thead", {}, make("tr", {}, ...heads.map((textContent) => make("th", { scope: "col", textContent })))),
        make("tbody", {}, ...answer.engines.map(row))));
    box.setAttribute("role", "group");
    return box;
  }

  // Hands the figures of that kind what they take, and says where it is to be seen; "" where there are none.
  function hand(kind, event, detail) {
    const figures = [...document.querySelectorAll(`.kv-of-${kind} .kv-figure`)];
    for (const figure of figures) figure.dispatchEvent(new CustomEvent(event, { detail }));
    return figures[0]?.querySelector(".kv-title");
  }

  async function seen(answer) {
    // No shipped model is called so.
    const own = answer.name === "config" ? "your model" : `your ${answer.name}`, link = await packed();
    const parts = [["Its layers", "layer_race", "kv-layout", answer.strip, { name: own, strip: answer.strip }, "09-any-model"],
      ["Its budget", "budget", "kv-model", answer.budget, { name: own, ...answer.budget }, "06-scaling-limits"]];
    return parts.map(([what, kind, event, { refused }, detail, page]) => {
      if (refused) return make("p", { textContent: `${what}: kvlib: ${refused}` });
      const title = hand(kind, event, detail);
      if (title) return make("p", { textContent: `${what}: shown by the figure “${title.textContent}” of this page, as “${own}”.` });
      if (!link) return "";
      const chapter = make("a", { href: new URL(`${page}.html#ask.config=${link}`, home).href, textContent: `chapter ${Number(page.slice(0, 2))}` });
      return make("p", {}, `${what}: in a figure of `, chapter, ", which this link takes the config to.");
    });
  }

  async function show(answer, result) {
    const { weights, fit } = answer;
    result.append(table(answer), make("p", { textContent: `Weights: ${weights.refused ? `kvlib: ${weights.refused}` : `${weights}.`}` }), ...(await seen(answer)));
    if (fit) result.append(make("pre", { textContent: fit.refused ? `kvlib: ${fit.refused}` : fit }));
    return answer.said;
  }

  const blamed = (error) => {
    const option = { "--context": options.contexts, "--source-len": options.source_len, "context must": options.contexts };
    const [, control = area] = Object.entries(option).find(([begin]) => error.startsWith(begin)) ?? [];
    if (control !== area) details.open = true;
    return control;
  };
  const drawn = kvAsk.draw(bar, {
    name: "config", submit: "Read it", main: area, blamed, send, show, take, more: globalThis.CompressionStream ? [share] : [],
    fields: [field("A model's config.json", area, "Paste all that stands in it. Nothing is uploaded: kvlib reads it here, in your browser."),
      chooser.element, taken, details],
  });
  linked();
  addEventListener("hashchange", linked);
};
