// The exercises of a chapter, answered in its page: `kvExercisesPage.open(bar, data)`.
//
//     bar    the element above them, which gets the points, the notebook's coming and going, and Python's panel
//     data   what the build wrote of them: the released notebook, and the fields of each answer's cell
//
// An answer is the source of its cell, wherever it was given; Check runs that in Python and shows what comes back.

const kvExercisesPage = (() => {
  const { make, press } = kvDom;
  const HOW = "Tab indents; Escape, then Tab, leaves the field.";

  const of = (points, most) => `${points} of ${most} point${most === 1 ? "" : "s"}`;
  const absent = () => (kvRun.state === "absent" ? kvRun.sentence : "");

  // One exercise: what stands in its place in the page, and its answer.
  function exercise(asked, { colab, cells }, kept, keep) {
    const stub = cells.get(asked.answer);
    const editor = kvEditor(`Your answer to exercise ${asked.title} in Python`, HOW);
    const fields = asked.form && kvFields(asked.form, changed);
    const told = make("p", { className: "kv-told", role: "status" });
    const check = make("button", { type: "submit", textContent: "Check" });
    const stop = press("Stop", () => kvRun.stop());
    const other = press("", () => show(!byFields(), code()));
    const again = press("Begin anew", () => take(stub));
    const presses = make("p", { className: "kv-presses" }, check, stop, other, again);
    const form = make("form", { className: "kv-answer" }, presses, told);
    let inFields = null;

    editor.area.addEventListener("input", changed);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!check.hidden && !check.disabled) mark();
    });
    stop.hidden = true;
    other.hidden = !fields;
    if (asked.needs.length) {
      check.hidden = true;
      const where = make("a", { href: colab, textContent: "open the notebook" });
      const why = `It needs ${asked.needs.join(" and ")}, which the page has not. To check it, `;
      presses.after(make("p", { className: "kv-help" }, why, where, " in Colab, or in JupyterLab with ", make("code", { textContent: "make lab" }), "."));
    } else if (asked.manual) {
      presses.after(make("p", { className: "kv-help", textContent: "In a class, a person reads this answer and gives its points." }));
    }

    const byFields = () => inFields === true;
    const code = () => (byFields() ? kvAnswers.source(asked.form, fields.values) : editor.value);

    const own = () => (code() === stub ? undefined : code());

    // An answer that the fields cannot hold stands in the editor, and nothing of it is lost.
    function show(wantFields, source) {
      const values = fields && wantFields ? kvAnswers.values(asked.form, source) : null;
      if (wantFields && fields && !values) told.textContent = "What stands here is more than the form can hold.";
      inFields = Boolean(values);
      if (values) fields.values = values;
      else editor.value = source;
      (inFields ? editor : fields)?.element.remove();
      form.prepend((inFields ? fields : editor).element);
      other.textContent = inFields ? "Answer in Python" : "Answer in the form";
    }

    function changed() {
      kept.code = own();
      if (told.textContent) {
        told.textContent = "";
        kept.said = "";
      }
      keep();
    }

    function take(source) {
      told.textContent = "";
      show(true, source);
      Object.assign(kept, { code: own(), said: "", points: 0 });
      keep();
    }

    function tell(sentence, points = kept.points) {
      told.textContent = sentence;
      Object.assign(kept, { said: sentence, points, code: own() });
      keep();
    }

    async function mark() {
      const why = absent();
      if (why) {
        told.textContent = why;
        return;
      }
      const before = asked.before.map((id) => cells.get(id));
      const payload = { question: asked.question, variable: asked.variable, code: code(), before };
      const loading = ({ detail: { state, loaded, total } }) => {
        const far = total ? `: ${(loaded / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB` : "";
        told.textContent = state === "loading" ? `Python is being loaded${far}.` : "Checking …";
      };
      check.disabled = true;
      stop.hidden = false;
      told.textContent = "Checking …";
      document.addEventListener("kv-run", loading);
      let answer;
      try {
        answer = await kvRun.call("check", payload);
      } catch (error) {
        answer = { error: error.message };
      } finally {
        document.removeEventListener("kv-run", loading);
        check.disabled = false;
        stop.hidden = true;
      }
      if (code() !== payload.code) {
        told.textContent = "The answer was changed meanwhile: check it again.";
      } else if (answer.said) {
        const printed = answer.printed ? `\nYour code printed:\n${answer.printed.trimEnd()}` : "";
        tell(answer.said + printed, answer.points);
      } else {
        tell(answer.error ?? `This is a fault of kvlib's own; please report it.\n${answer.bug}`);
      }
    }

    show(true, kept.code ?? stub);
    told.textContent = kept.said ?? "";
    return { question: asked.question, form, code, take, anew: () => take(stub) };
  }

  // Above all of them: the points, the notebook out and in, and the way to forget everything.
  function open(bar, data) {
    const answers = kvKeeping.read(data.name);
    const points = make("p", { className: "kv-points", role: "status" });
    const kept = make("p", { className: "kv-help", role: "status" });
    const cells = new Map(data.notebook.cells.map(({ id, source }) => [id, [source].flat().join("")]));
    const most = data.exercises.reduce((sum, asked) => sum + asked.points, 0);

    function keep() {
      const given = Object.entries(answers).filter(([, answer]) => answer.code !== undefined);
      const total = given.reduce((sum, [, answer]) => sum + (answer.points ?? 0), 0);
      points.textContent = `${of(Math.round(100 * total) / 100, most)}.`;
      if (!given.length) kvKeeping.forget(data.name);
      else if (!kvKeeping.write(data.name, Object.fromEntries(given))) {
        kept.textContent = "Your browser keeps nothing for this page: download the notebook to keep your answers.";
      }
    }

    const places = new Map([...document.querySelectorAll(".kv-asked")].map((place) => [place.dataset.question, place]));
    const shown = data.exercises.map((asked) => {
      const own = (answers[asked.question] ??= {});
      const one = exercise(asked, { colab: data.colab, cells }, own, keep);
      const place = places.get(asked.question);
      for (const child of place.children) child.hidden = true;
      place.append(one.form);
      return one;
    });

    function download() {
      const sources = Object.fromEntries(shown.map((one) => [one.question, one.code()]));
      const blob = new Blob([kvKeeping.filled(data, sources)], { type: "application/x-ipynb+json" });
      const link = make("a", { href: URL.createObjectURL(blob), download: `${data.name}.ipynb` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    }

    const file = make("input", { type: "file", accept: ".ipynb,application/json", id: "kv-open-notebook" });
    file.addEventListener("change", async () => {
      const [chosen] = file.files;
      if (!chosen) return;
      try {
        if (chosen.size > 16 * 2 ** 20) throw new Error("The file is too large for a notebook of exercises: it has more than 16 MiB.");
        const found = kvKeeping.opened(data, await chosen.text());
        const put = shown.filter((one) => found[one.question] !== undefined);
        for (const one of put) one.take(found[one.question]);
        kept.textContent = `${put.length} of ${shown.length} answers' cells were taken from ${chosen.name}. Check each to have its points.`;
      } catch (error) {
        kept.textContent = `${chosen.name} was not opened. ${error.message}`;
      }
      file.value = "";
    });

    const sure = make("span", { hidden: true }, "All answers of this chapter are deleted. ");
    const forget = press("Delete all answers", () => ask(true));
    const yes = press("Delete", () => {
      for (const one of shown) one.anew();
      kept.textContent = "All answers were deleted.";
      ask(false);
    });
    const no = press("Keep them", () => ask(false));
    sure.append(yes, no);
    const ask = (open) => {
      sure.hidden = !open;
      forget.hidden = open;
      (open ? no : forget).focus();
    };
    const presses = make(
      "p", { className: "kv-presses" },
      press("Download as a notebook", download),
      make("label", { htmlFor: file.id, textContent: "Open a notebook: " }), file, forget, sure,
    );
    const panel = make("div");
    bar.replaceChildren(points, panel, presses, kept);
    kvRun.panel(panel);
    keep();
    points.tabIndex = -1;
    points.focus();
  }

  return { open };
})();
