// Forms that ask kvlib about something of the reader's own: `kvAsk`.
//
//     kvAsk.forms                        name -> function that draws the form into its place, from ask-NAME.js
//     kvAsk.draw(bar, { … })             a form: its fields, its press, what it sends and how it shows the answer
//     kvAsk.field(label, control, help)  a control with its label, and help that it is described by
//     kvAsk.file(label, help, take)      a field for a file; take(file) when one is chosen
//     kvAsk.base64(blob)                 a promise of its bytes
//     kvAsk.packed(object)               a promise of text for an address; kvAsk.unpacked(text) of the object
//     kvAsk.make(tag, properties, …)     an element
//
// Whatever comes from the reader, from a link or from Python is put in as text.

const kvAsk = (() => {
  const { make, press } = kvDom;
  const UNPACKED = 400_000; // bytes at most that a link may hold
  const FAULT = "This is a fault of kvlib's own; please report it.";
  let count = 0;

  function field(label, control, help = "") {
    control.id = `kv-ask-${++count}`;
    const element = make("div", { className: "kv-field" }, make("label", { htmlFor: control.id, textContent: label }), control);
    if (help) {
      element.append(make("p", { id: `${control.id}-help`, className: "kv-help", textContent: help }));
      control.setAttribute("aria-describedby", `${control.id}-help`);
    }
    return element;
  }

  function file(label, help, take) {
    const input = make("input", { type: "file" });
    input.addEventListener("change", () => input.files[0] && take(input.files[0]));
    return { input, element: field(label, input, help) };
  }

  // A file let go anywhere over `element` is taken.
  function droppable(element, take) {
    const over = (on) => element.classList.toggle("kv-over-it", on);
    element.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      over(true);
    });
    element.addEventListener("dragleave", (event) => { if (!element.contains(event.relatedTarget)) over(false); });
    element.addEventListener("drop", (event) => {
      over(false);
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      take(event.dataTransfer.files[0]);
    });
  }

  function base64(blob) {
    return new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
      reader.onerror = () => reject(new Error("The browser could not read the file."));
      reader.readAsDataURL(blob);
    });
  }

  async function packed(object) {
    const squeezed = new Blob([JSON.stringify(object)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
    const text = await base64(await new Response(squeezed).blob());
    return text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const parts = [];
    let held = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      held += part.value.length;
      if (held > UNPACKED) {
        await reader.cancel();
        throw new Error("it holds too much");
      }
      parts.push(part.value);
    }
    return JSON.parse(await new Blob(parts).text());
  }

  // name      what kvRun is asked
  // fields    elements, and `main` the control that a refusal is about, unless `blamed` finds another by the error
  // send()    a promise of the payload; an Error's message is shown
  // show(answer, result)   fills the element; returns the sentence that is said, once; `aside` where it is only said
  function draw(bar, { name, submit, fields, main, blamed = () => main, send, show, take, aside = false, more = [] }) {
    const told = make("p", { id: `kv-ask-${++count}`, className: "kv-told" });
    told.setAttribute("role", "status");
    const result = make("div", { className: "kv-result" });
    const panel = make("div");
    const button = make("button", { type: "submit", textContent: submit });
    const form = make("form", {}, ...fields, make("p", { className: "kv-presses" }, button, ...more), panel, told);
    let busy = false, wrong = null;

    // What is wrong is said beside the control, which is described by it as long as it stands.
    function blame(control) {
      for (const [one, on] of [[wrong, false], [control, true]]) {
        if (!one) continue;
        const ids = (one.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== told.id);
        one.setAttribute("aria-describedby", [...ids, ...(on ? [told.id] : [])].join(" "));
        if (on) one.setAttribute("aria-invalid", "true");
        else one.removeAttribute("aria-invalid");
      }
      wrong = control;
    }

    function say(text, control = null, quiet = false) {
      told.classList.toggle("kv-only-said", quiet);
      told.classList.toggle("kv-wrong", Boolean(control));
      told.textContent = text;
      blame(control);
    }

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      button.setAttribute("aria-disabled", "true");
      say("");
      result.replaceChildren();
      try {
        const answer = await kvRun.call(name, await send());
        if (answer.error !== undefined || answer.bug !== undefined) {
          say(answer.error === undefined ? `${FAULT}\n${answer.bug}` : `kvlib: ${answer.error}`, blamed(answer.error ?? ""));
        } else {
          const said = await show(answer, result);
          for (const text of answer.warnings ?? []) result.append(make("p", { className: "kv-help", textContent: `kvlib: warning: ${text}` }));
          say(said, null, aside);
        }
      } catch (error) {
        say(error.message, error.state ? null : main); // kvRun's own errors have a state
      } finally {
        busy = false;
        button.removeAttribute("aria-disabled");
      }
    });
    droppable(form, take);
    bar.replaceChildren(form, result);
    kvRun.panel(panel);
    main.focus();
    return { say, result };
  }

  return { forms: {}, draw, field, file, base64, packed, unpacked, make, press };
})();
