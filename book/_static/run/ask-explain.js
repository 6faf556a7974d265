// A log, or an out-of-memory message, of the reader's own: the form, and what `kvlib explain` says of it.

kvAsk.forms.explain = (bar) => {
  const { make, field } = kvAsk;
  const MOST = 8 * 2 ** 20; // of a longer log the end, which says why an engine stopped
  const area = make("textarea", { rows: 9, spellcheck: false, autocomplete: "off", wrap: "off" });
  const taken = make("p", { className: "kv-help" });
  let file = null;

  function take(chosen) {
    file = chosen;
    area.value = "";
    taken.textContent = `Taken: ${chosen.name.slice(0, 200)}, ${chosen.size.toLocaleString("en")} bytes.`;
  }
  area.addEventListener("input", () => {
    file = null;
    chooser.input.value = "";
    taken.textContent = "";
  });

  const chooser = kvAsk.file("Or a file", "A log; or drop it here.", take);
  const input = (placeholder) => make("input", { type: "text", autocomplete: "off", spellcheck: false, placeholder });
  const options = { model: input("llama-3.1-8b"), gpu: input("H100:2"), tp: input("2") };

  kvAsk.draw(bar, {
    name: "explain", submit: "Explain it", main: area, take, aside: true,
    fields: [field("The log, or the message", area, "Paste the lines, or all of it. Nothing is uploaded: kvlib reads it here, in your browser."),
      chooser.element, taken,
      field("Model (--model)", options.model, "One that kvlib ships, if the log does not name it."),
      field("GPU (--gpu)", options.gpu),
      field("GPUs that share each layer (--tp)", options.tp, "If the log does not say it.")],
    blamed: (error) => (error.startsWith("unknown model") || error.startsWith("config") ? options.model
      : error.startsWith("--tp") || error.startsWith("tp ") ? options.tp
        : error.startsWith("unknown GPU") || error.includes("--gpu") ? options.gpu : area),
    send: async () => {
      const text = file ? await file.slice(-MOST - 1).text() : area.value.slice(-MOST - 1);
      return { text, ...Object.fromEntries(Object.entries(options).map(([key, control]) => [key, control.value.trim()])) };
    },
    show: ({ text }, result) => {
      result.append(make("pre", { textContent: text }));
      return text.split("\n\n")[0];
    },
  });
};
