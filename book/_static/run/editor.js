// A text area made good for a few lines of Python: `kvEditor(label, hint)` gives { element, area }.
//
// Tab indents and Shift+Tab takes it back, for the marked lines too; Escape, then Tab, leaves the field. Enter
// keeps the indentation, and adds one after a colon. It grows with its text. What is typed can be undone.

const kvEditor = (() => {
  const STEP = "    ";
  let count = 0;

  // The browser's own way to type keeps its history, so that Undo takes back a Tab.
  function type(area, text) {
    if (text ? document.execCommand("insertText", false, text) : document.execCommand("delete")) return;
    area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function indent(area, back) {
    const { value, selectionStart: from, selectionEnd: to } = area;
    const begin = value.lastIndexOf("\n", from - 1) + 1;
    if (!back && from === to) {
      type(area, STEP.slice((from - begin) % STEP.length));
      return;
    }
    const last = to > from && value[to - 1] === "\n" ? to - 1 : to;
    const end = value.indexOf("\n", last) < 0 ? value.length : value.indexOf("\n", last);
    const lines = value.slice(begin, end).split("\n");
    const moved = lines.map((line) => (back ? line.replace(/^ {1,4}/, "") : line && STEP + line));
    if (moved.join("\n") === lines.join("\n")) return;
    area.setSelectionRange(begin, end);
    type(area, moved.join("\n"));
    const first = moved[0].length - lines[0].length;
    const all = moved.join("\n").length - (end - begin);
    area.setSelectionRange(Math.max(begin, from + first), Math.max(begin, to + all));
  }

  function enter(area) {
    const before = area.value.slice(0, area.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    const deeper = /:\s*(?:#.*)?$/.test(line) ? STEP : "";
    type(area, `\n${/^ */.exec(line)[0]}${deeper}`);
  }

  function grow(area) {
    area.rows = Math.min(60, Math.max(3, area.value.split("\n").length + 1));
  }

  return (label, hint) => {
    const id = `kv-editor-${++count}`;
    const name = Object.assign(document.createElement("label"), { htmlFor: id, textContent: label });
    const help = Object.assign(document.createElement("p"), { id: `${id}-help`, className: "kv-help", textContent: hint });
    const area = Object.assign(document.createElement("textarea"), { id, spellcheck: false, wrap: "off" });
    area.setAttribute("autocapitalize", "off");
    area.setAttribute("autocomplete", "off");
    area.setAttribute("aria-describedby", help.id);
    let leaving = false;
    area.addEventListener("keydown", (event) => {
      if (event.key === "Tab" && !leaving && !event.ctrlKey && !event.altKey && !event.metaKey) {
        event.preventDefault();
        indent(area, event.shiftKey);
      } else if (event.key === "Enter" && !event.isComposing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        enter(area);
      }
      if (event.key !== "Shift") leaving = event.key === "Escape";
    });
    area.addEventListener("blur", () => { leaving = false; });
    area.addEventListener("input", () => grow(area));
    const element = document.createElement("div");
    element.className = "kv-editor";
    element.append(name, area, help);
    return {
      element,
      area,
      get value() { return area.value; },
      set value(text) {
        area.value = text;
        grow(area);
      },
    };
  };
})();
