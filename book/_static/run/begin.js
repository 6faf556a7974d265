// A chapter's exercises, answered in the page: what that needs is loaded when the reader asks, and not before.
//
// The chapter says where with <div class="kv-exercises" data-notebook="02-the-formula" data-version="…">; where
// the book holds Python, `data-list` and `data-bytes` are what run.js is to be told of it.

(() => {
  const base = document.currentScript.src;
  const SCRIPTS = ["answers", "keeping", "editor", "fields", "exercises"];

  function load(name, version, dataset = {}) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      Object.assign(script.dataset, dataset);
      script.src = new URL(`${name}.js?v=${version}`, base).href;
      script.async = false; // in this order
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${name}.js did not load.`));
      document.head.append(script);
    });
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
    dress("run", version);
    await load("run", version, list ? { list, bytes } : {});
  }

  function begun(name) {
    try {
      return localStorage.getItem(`kv-cache-course/exercises/${name}`) !== null;
    } catch {
      return false; // a browser may keep nothing for a page
    }
  }

  for (const bar of document.querySelectorAll(".kv-exercises")) {
    const { notebook, version } = bar.dataset;
    const button = bar.querySelector(".kv-answer-here");
    if (begun(notebook)) button.textContent = "Go on answering here";
    button.parentElement.hidden = false;
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        dress("exercises", version);
        await Promise.all([python(bar.dataset), ...[notebook, ...SCRIPTS].map((name) => load(name, version))]);
        kvExercisesPage.open(bar, kvExercises);
      } catch (error) {
        button.disabled = false;
        button.after(` ${error.message} Try again. `);
      }
    });
  }
})();
