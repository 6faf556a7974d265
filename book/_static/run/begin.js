// What a page runs, loaded when the reader asks and not before: its exercises, <div class="kv-exercises"
// data-notebook="02-the-formula" data-version="…">, and forms, <div class="kv-ask" data-ask="config" …>. Where the
// book holds Python, `data-list` and `data-bytes` are what run.js is to be told of it. A link opens its form.

(() => {
  const base = document.currentScript.src;
  const SCRIPTS = ["dom", "answers", "keeping", "editor", "fields", "exercises"];
  const loads = {}; // each once, whoever asks for it

  function load(name, version, dataset = {}) {
    return (loads[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      Object.assign(script.dataset, dataset);
      script.src = new URL(`${name}.js?v=${version}`, base).href;
      script.async = false; // in this order
      script.onload = resolve;
      script.onerror = () => {
        delete loads[name];
        reject(new Error(`${name}.js did not load.`));
      };
      document.head.append(script);
    }));
  }

  function dress(name, version) {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL(`${name}.css?v=${version}`, base).href;
    document.head.append(sheet);
  }

  // run.js is told what there is to start, if the page has not got it already.
  async function python({ version, list, bytes }) {
    if (globalThis.kvRun) return;
    if (!loads.run) dress("run", version);
    await load("run", version, list ? { list, bytes } : {});
  }

  function begun(name) {
    try {
      return localStorage.getItem(`kv-cache-course/exercises/${name}`) !== null;
    } catch {
      return false; // a browser may keep nothing for a page
    }
  }

  // The button of `bar` loads the sheet and the scripts, then calls open(); returns what a press does.
  function offer(bar, button, sheet, scripts, open) {
    const { version } = bar.dataset;
    const pressed = async () => {
      if (button.disabled) return;
      button.disabled = true;
      try {
        dress(sheet, version);
        await Promise.all([python(bar.dataset), ...scripts.map((name) => load(name, version))]);
        open();
      } catch (error) {
        button.disabled = false;
        button.after(` ${error.message} Try again. `);
      }
    };
    button.parentElement.hidden = false;
    button.addEventListener("click", pressed);
    return pressed;
  }

  for (const bar of document.querySelectorAll(".kv-exercises")) {
    const { notebook } = bar.dataset;
    const button = bar.querySelector(".kv-answer-here");
    if (begun(notebook)) button.textContent = "Go on answering here";
    offer(bar, button, "exercises", [notebook, ...SCRIPTS], () => kvExercisesPage.open(bar, kvExercises));
  }

  for (const bar of document.querySelectorAll(".kv-ask")) {
    const name = bar.dataset.ask;
    const scripts = ["dom", "ask", `ask-${name}`];
    const press = offer(bar, bar.querySelector("button"), "ask", scripts, () => kvAsk.forms[name](bar));
    const linked = () => { if (location.hash.includes(`ask.${name}=`)) press(); };
    linked();
    addEventListener("hashchange", linked);
  }
})();
