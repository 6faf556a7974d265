// The fields of an answer's form, in the browser's own controls: `kvFields(form, changed)`.
//
// It gives { element, values }: `values` is read and set as answers.js has them; `changed()` is called when the
// reader changes one.

const kvFields = (() => {
  const { make } = kvDom;
  let count = 0;

  function number({ label, unit }) {
    const id = `kv-field-${++count}`;
    const input = make("input", { id, type: "text", autocomplete: "off", spellcheck: false });
    const textContent = label.includes(unit) ? label : `${label} (${unit})`; // every label has "" in it
    const element = make("p", { className: "kv-number" }, make("label", { htmlFor: id, textContent }), input);
    return { element, get: () => input.value, set: (text) => { input.value = text; } };
  }

  function options(kind, label, listed, none) {
    const name = `kv-field-${++count}`;
    const inputs = listed.map(([value]) => make("input", { type: kind, name, value }));
    const choices = listed.map(([value, meant], i) => {
      const word = make(meant ? "b" : "span", { textContent: value });
      return make("label", {}, inputs[i], " ", word, meant ? ` ${meant}` : "");
    });
    const box = make("fieldset", { className: "kv-choice" }, make("legend", { textContent: label }), ...choices);
    if (listed.every(([, meant]) => !meant)) box.classList.add("kv-short");
    if (none) box.append(none);
    return { element: box, inputs };
  }

  function choice({ label, options: listed }) {
    const { element, inputs } = options("radio", label, listed);
    return {
      element,
      get: () => inputs.find((input) => input.checked)?.value ?? "",
      set: (word) => { for (const input of inputs) input.checked = input.value === word; },
    };
  }

  function several({ label, options: listed }) {
    const { element, inputs } = options("checkbox", `${label}: all that hold`, listed);
    return {
      element,
      get: () => inputs.filter((input) => input.checked).map((input) => input.value),
      set: (words) => { for (const input of inputs) input.checked = words.includes(input.value); },
    };
  }

  function text({ label, rows, words: [least, most] }) {
    const id = `kv-field-${++count}`;
    const area = make("textarea", { id, rows: 8 });
    const counted = make("p", { className: "kv-help", id: `${id}-help` });
    area.setAttribute("aria-describedby", counted.id);
    const tell = () => {
      const written = area.value.split(/\s+/).filter(Boolean).length;
      counted.textContent = `${written} words; write ${least} to ${most}.`;
    };
    area.addEventListener("input", tell);
    tell();
    const read = rows.map(([name, said]) => {
      const { element, inputs } = options("radio", said, [["yes", ""], ["no", ""]]);
      return { name, element, inputs };
    });
    const rubric = make(
      "details", {}, make("summary", { textContent: "When it is written: read it against these" }),
      ...read.map(({ element }) => element),
    );
    const element = make("div", { className: "kv-text" }, make("label", { htmlFor: id, textContent: label }), area, counted, rubric);
    return {
      element,
      get: () => {
        const answered = read.filter(({ inputs }) => inputs.some((input) => input.checked));
        return { text: area.value, rows: Object.fromEntries(answered.map(({ name, inputs: [yes] }) => [name, yes.checked])) };
      },
      set: (value) => {
        area.value = value.text;
        tell();
        for (const { name, inputs: [yes, no] } of read) {
          yes.checked = value.rows[name] === true;
          no.checked = value.rows[name] === false;
        }
      },
    };
  }

  const KINDS = { number, choice, several, text };

  return (form, changed) => {
    const fields = form.fields.map((field) => KINDS[field.kind](field));
    const element = make("div", { className: "kv-fields" }, ...fields.map((field) => field.element));
    element.addEventListener("input", changed);
    return {
      element,
      get values() { return fields.map((field) => field.get()); },
      set values(values) { fields.forEach((field, i) => field.set(values[i])); },
    };
  };
})();
