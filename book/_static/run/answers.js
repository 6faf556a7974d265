// An answer's cell from what stands in its form, and back: `kvAnswers`.
//
//     kvAnswers.source(form, values)   the cell; a field that is empty says None
//     kvAnswers.values(form, source)   what each field holds, or null for a cell that is not of this form
//     kvAnswers.empty(form)            the values of a form nobody has touched
//
// A value is a text (number, choice), a list of texts (several), or { text, rows: { name: true or false } }.

const kvAnswers = (() => {
  const NUMBER = /^[-+]?(?:(?:0|[1-9][\d_]*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/;
  // A number with a unit, or with commas, as people write it: a text, which the check reads.
  const WRITTEN = /^[-+]?[\d.,_\s]*\d\.?\s*(?:%|[^\W\d_]+)?$/u;
  const QUOTED = '"(?:[^"\\\\]|\\\\.)*"';
  const TEXT = new RegExp(`^\\{"text": (${QUOTED})((?:, ${QUOTED}: (?:True|False|None))*)\\}$`);

  // JSON's texts are Python's.
  const quoted = (text) => JSON.stringify(text);

  function number(text) {
    const said = text.trim();
    if (!said) return "None";
    const expression = !WRITTEN.test(said) && !said.includes("#");
    return NUMBER.test(said) || expression ? said : quoted(said);
  }

  const WRITE = {
    number,
    choice: (word) => (word ? quoted(word) : "None"),
    several: (words) => (words.length ? `{${words.map(quoted).join(", ")}}` : "None"),
    text: ({ text, rows }, field) => {
      const said = { true: "True", false: "False", undefined: "None" };
      const named = field.rows.map(([name]) => name).filter((name) => field.named || name in rows);
      return `{"text": ${quoted(text)}${named.map((name) => `, ${quoted(name)}: ${said[rows[name]]}`).join("")}}`;
    },
  };

  function listed(said, { options }) {
    let words;
    try {
      words = JSON.parse(`[${said}]`);
    } catch {
      return null;
    }
    return words.length && words.every((word) => options.some(([name]) => name === word)) ? words : null;
  }

  const READ = {
    number: (said) => {
      if (said === "None") return "";
      if (!new RegExp(`^${QUOTED}$`).test(said)) return said;
      try {
        return JSON.parse(said);
      } catch {
        return said;
      }
    },
    choice: (said, field) => (said === "None" ? "" : (listed(said, field)?.[0] ?? null)),
    several: (said, field) => {
      if (said === "None") return [];
      return said.startsWith("{") && said.endsWith("}") ? listed(said.slice(1, -1), field) : null;
    },
    text: (said, field) => {
      const match = TEXT.exec(said);
      if (!match) return null;
      const rows = [...match[2].matchAll(new RegExp(`, (${QUOTED}): (True|False)`, "g"))];
      const read = Object.fromEntries(rows.map(([, name, met]) => [JSON.parse(name), met === "True"]));
      return { text: JSON.parse(match[1]), rows: read };
    },
  };

  function source(form, values) {
    const said = form.fields.map((field, i) => WRITE[field.kind](values[i], field));
    return form.pieces.map((piece, i) => piece + (said[i] ?? "")).join("");
  }

  function values(form, text) {
    const pieces = form.pieces.map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const match = new RegExp(`^${pieces.join("([^\\n]*?)")}$`).exec(text);
    if (!match) return null;
    const read = form.fields.map((field, i) => READ[field.kind](match[i + 1], field));
    // Only what comes out again as it came in: nothing of a cell may be lost.
    return read.includes(null) || source(form, read) !== text ? null : read;
  }

  function empty(form) {
    const nothing = { several: () => [], text: () => ({ text: "", rows: {} }) };
    return form.fields.map(({ kind }) => nothing[kind]?.() ?? "");
  }

  return { source, values, empty };
})();
