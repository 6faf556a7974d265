// "Pause and recall": each question is asked before it is answered, by a choice or a word.
//
// A chapter writes a question in bold, its choices as a list (or none, where a word is asked for), and the answer
// in <details>, which begins in bold with the choice that is right, or with the word. The page folds the answer
// away until something was chosen or said.

(() => {
  const bare = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function ask(details, number) {
    const list = details.previousElementSibling?.matches("ul") ? details.previousElementSibling : null;
    const question = (list ?? details).previousElementSibling;
    const right = [...details.querySelectorAll(":scope > p:first-of-type > strong")].map((said) => bare(said.textContent));
    if (!right.length || !question?.matches("p") || question.firstElementChild?.tagName !== "STRONG") return;

    const name = `kv-quiz-${number}`;
    const told = make("span", { role: "status" });
    const answer = make("button", { type: "submit", textContent: "Answer" });
    const form = make("form", { className: "kv-quiz" });
    let said;
    if (list) {
      const choices = [...list.children].map((item) => {
        const input = make("input", { type: "radio", name, value: item.textContent });
        const content = item.querySelector(":scope > p") ?? item;
        return make("label", {}, input, " ", ...content.childNodes);
      });
      form.append(make("fieldset", {}, make("legend", {}, ...question.childNodes), ...choices));
      said = () => form.querySelector("input:checked")?.value ?? "";
    } else {
      const input = make("input", { type: "text", id: name, autocomplete: "off", size: 12 });
      form.append(make("label", { htmlFor: name }, ...question.childNodes), " ", input, " ");
      said = () => input.value;
    }
    form.append(make("p", {}, answer, " ", told));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!said().trim()) told.textContent = list ? "Choose one first." : "Say a word first.";
      else {
        told.textContent = right.includes(bare(said())) ? "Right." : "Not so: read why.";
        details.classList.remove("kv-folded");
        details.open = true;
      }
    });
    question.replaceWith(form);
    list?.remove();
    details.classList.add("kv-folded");
  }

  const section = document.getElementById("pause-and-recall");
  section?.querySelectorAll(":scope > details").forEach(ask);
})();
