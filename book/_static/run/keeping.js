// What the reader has answered, kept in this browser alone, and as a notebook: `kvKeeping`.
//
//     kvKeeping.read(name)              { question: { code, said, points } } as kept, {} where nothing is
//     kvKeeping.write(name, answers)    whether the browser keeps it
//     kvKeeping.forget(name)
//     kvKeeping.filled(data, sources)   the text of the released notebook, its answers' cells filled in
//     kvKeeping.opened(data, text)      { question: source } of a notebook; an Error, whose message is a
//                                       sentence, for a file that is none, or not this chapter's

const kvKeeping = (() => {
  const VERSION = 1;
  const MOST = 8 * 2 ** 20; // characters of a file
  const LONGEST = 100_000; // characters of a cell
  const CHECK = /kvlib\.check\("([\w-]+)", \w+(?:, "(\w+)")?\)/g;

  const place = (name) => `kv-cache-course/exercises/${name}`;
  const isText = (value) => typeof value === "string" && value.length <= LONGEST;

  function read(name) {
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(place(name)));
    } catch {
      return {}; // kept nowhere, or not by this page
    }
    if (kept?.version !== VERSION || typeof kept.answers !== "object" || !kept.answers) return {};
    const answers = Object.entries(kept.answers).filter(([, answer]) => isText(answer?.code));
    return Object.fromEntries(
      answers.map(([question, { code, said, points }]) => [
        question,
        { code, said: isText(said) ? said : "", points: Number.isFinite(points) ? points : 0 },
      ]),
    );
  }

  function write(name, answers) {
    try {
      localStorage.setItem(place(name), JSON.stringify({ version: VERSION, answers }));
      return true;
    } catch {
      return false;
    }
  }

  function forget(name) {
    try {
      localStorage.removeItem(place(name));
    } catch {
      // Nothing was kept.
    }
  }

  function filled(data, sources) {
    const answers = new Map(data.exercises.map(({ answer, question }) => [answer, sources[question]]));
    const cells = data.notebook.cells.map((cell) => {
      const source = answers.get(cell.id);
      return source === undefined ? cell : { ...cell, source: source.split(/(?<=\n)/) };
    });
    return `${JSON.stringify({ ...data.notebook, cells }, null, 1)}\n`;
  }

  function opened(data, text) {
    const cells = cellsOf(text);
    const checks = cells.flatMap(({ source }) => [...source.matchAll(CHECK)]);
    const asked = new Set(data.exercises.map(({ question }) => question));
    if (!checks.some(([, question]) => asked.has(question))) {
      const chapter = checks[0]?.[1].slice(0, 2);
      const which = chapter ? `It asks the exercises of chapter ${Number(chapter)}` : "It asks no exercise of this course";
      throw new Error(`${which}; this page opens the notebook ${data.name}.ipynb.`);
    }
    if (checks.some(([, , variant]) => variant)) {
      throw new Error("Its numbers were drawn for one student, and this page asks the book's: answer it in Jupyter.");
    }
    const found = {};
    for (const { question, answer } of data.exercises) {
      const cell = cells.findLast(({ ids }) => ids.includes(answer));
      if (!cell) continue;
      if (cell.source.length > LONGEST) {
        throw new Error(`Its cell ${answer} has ${cell.source.length.toLocaleString("en")} characters; at most 100,000 are read.`);
      }
      found[question] = cell.source.replace(/\r\n?/g, "\n");
    }
    if (!Object.keys(found).length) throw new Error("None of its cells answers an exercise of this chapter.");
    return found;
  }

  function cellsOf(text) {
    if (text.length > MOST) throw new Error("The file is too large for a notebook of exercises: it has more than 8 MiB.");
    let notebook;
    try {
      notebook = JSON.parse(text.replace(/^\ufeff/, ""));
    } catch {
      throw new Error("The file is no notebook: it is not JSON.");
    }
    if (!Array.isArray(notebook?.cells)) throw new Error("The file is no notebook: it has no list of cells.");
    return notebook.cells
      .filter((cell) => cell?.cell_type === "code")
      .map((cell) => {
        const parts = Array.isArray(cell.source) ? cell.source : [cell.source];
        const ids = [cell.id, cell.metadata?.id, cell.metadata?.nbgrader?.grade_id];
        return { ids, source: parts.filter((part) => typeof part === "string").join("") };
      });
  }

  return { read, write, forget, filled, opened };
})();
