// Python in the page: `kvRun` starts it in a worker when the reader asks, asks it, and ends it.
//
//     kvRun.call(name, payload, { limit })   a promise of what kvlib.page.answer gives, an object; starts Python
//                                            if it does not run. Calls wait for one another. After `limit`
//                                            seconds of its own (30), the call is stopped. It is rejected with
//                                            an Error, whose message is a sentence and whose `state` is kvRun's.
//     kvRun.start()                          a promise, kept when Python is ready
//     kvRun.stop(sentence)                   ends it, whatever it does; the next call starts it afresh
//     kvRun.state                            "absent", "idle", "loading", "ready", "busy", "stopped" or "failed"
//     kvRun.sentence                         why it is absent, stopped or failed, else ""
//     kvRun.panel(element)                   draws into it a button "Run here", the progress, and what went wrong
//
// At each change and each part loaded, `document` gets the event "kv-run", whose `detail` is
// { state, sentence, loaded, total }, in bytes. The script's own tag says what there is to start: `data-list`,
// the list of files that the build wrote, and `data-bytes`, their size; or neither, where it was left out.

globalThis.kvRun = (() => {
  const script = document.currentScript;
  const LIMIT = 30; // seconds
  const MEMORY = 256 * 2 ** 20; // bytes; Python has 20 MiB when it is ready
  const ABSENT = "This page was built without Python; `make book` puts it in.";
  const FROM_FILE = "A page that was opened from a file may not start Python: serve the book, with `make serve`.";
  const STOPPED = "Stopped. The next run starts afresh.";
  const BUTTON = { loading: "Cancel", ready: "End Python", busy: "Stop", stopped: "Run here again", failed: "Try again" };
  const SAID = {
    idle: `Loads Python, ${megabytes(script.dataset.bytes)} MB, once. Nothing that you enter leaves this page.`,
    loading: "Python is being loaded.", ready: "Python runs in this page.", busy: "Python is at work.",
  };
  const TOO_LONG = (limit) => `Stopped after ${limit} seconds without an end. The next run starts afresh.`;

  let worker = null;
  let ready = null; // { promise, resolve, reject } of the worker that is
  let running = null; // the call that it works on
  let timer = 0;
  let serial = 0;
  const waiting = [];
  const now = { state: "idle", sentence: "", loaded: 0, total: 0 };
  if (location.protocol === "file:") Object.assign(now, { state: "absent", sentence: FROM_FILE });
  else if (!script.dataset.list) Object.assign(now, { state: "absent", sentence: ABSENT });

  function turn(state, sentence = "") {
    Object.assign(now, { state, sentence });
    tell();
  }

  function tell() {
    document.dispatchEvent(new CustomEvent("kv-run", { detail: { ...now } }));
  }

  function wrong(state, sentence) {
    return Object.assign(new Error(sentence), { state });
  }

  function start() {
    if (now.state === "absent") return Promise.reject(wrong("absent", now.sentence));
    if (worker) return ready.promise;
    ready = {};
    ready.promise = new Promise((resolve, reject) => Object.assign(ready, { resolve, reject }));
    ready.promise.catch(() => {}); // whoever asked for it hears of it
    Object.assign(now, { loaded: 0, total: 0 });
    turn("loading");
    worker = new Worker(new URL("worker.js" + new URL(script.src).search, script.src), { type: "module" });
    const mine = worker;
    worker.onmessage = ({ data }) => { if (worker === mine) heard(data); };
    worker.onerror = (event) => {
      event.preventDefault();
      end("failed", `Python could not be started: ${event.message || "its script did not load"}.`);
    };
    worker.postMessage({ start: script.dataset.list, most: MEMORY });
    return ready.promise;
  }

  function heard(message) {
    if (message.total) {
      Object.assign(now, { loaded: message.loaded, total: message.total });
      tell();
    } else if (message.ready) {
      turn("ready");
      ready.resolve();
      next();
    } else if (message.failed) {
      end("failed", `Python could not be started: ${message.failed}.`);
    } else if (running?.id === message.id) {
      const { resolve } = running;
      release();
      if (message.spent) retire();
      turn(worker ? "ready" : "idle");
      resolve(JSON.parse(message.answer));
      next();
    }
  }

  function call(name, payload, { limit = LIMIT } = {}) {
    if (now.state === "absent") return Promise.reject(wrong("absent", now.sentence));
    return new Promise((resolve, reject) => {
      waiting.push({ id: ++serial, name, payload: JSON.stringify(payload ?? {}), limit, resolve, reject });
      next();
    });
  }

  function next() {
    if (running || !waiting.length) return;
    if (now.state !== "ready") {
      start();
      return;
    }
    running = waiting.shift();
    const { id, name, payload, limit } = running;
    turn("busy");
    timer = setTimeout(() => late(limit), limit * 1000);
    worker.postMessage({ id, name, payload });
  }

  function late(limit) {
    const { reject } = running;
    release();
    retire();
    turn("stopped", TOO_LONG(limit));
    reject(wrong("stopped", now.sentence));
    next();
  }

  function release() {
    clearTimeout(timer);
    running = null;
  }

  function retire() {
    worker?.terminate();
    worker = null;
  }

  function end(state, sentence) {
    retire();
    const lost = [...(running ? [running] : []), ...waiting.splice(0)];
    release();
    turn(state, sentence);
    ready?.reject(wrong(state, sentence));
    for (const { reject } of lost) reject(wrong(state, sentence));
  }

  function stop(sentence = STOPPED) {
    if (worker) end("stopped", sentence);
  }

  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function megabytes(bytes) {
    return (bytes / 1e6).toFixed(1);
  }

  function panel(element) {
    const bar = make("progress", { max: 1, value: 0, ariaLabel: "Python, loaded" });
    const count = make("span", { className: "kv-run-count" });
    const loading = make("span", { className: "kv-run-loading" }, bar, count);
    const press = make("button", { type: "button", className: "kv-run-press" });
    const about = new URL("../../book/references.html#python-in-the-page", script.src).href;
    const said = make("span", { role: "status" });
    const line = make("p", { className: "kv-run-said" }, said, " ", make("a", { href: about }, "What runs here"));
    press.addEventListener("click", () => (worker ? stop() : start().catch(() => {})));
    let seen = null;
    const draw = () => {
      bar.value = now.total ? now.loaded / now.total : 0;
      count.textContent = now.total ? `${megabytes(now.loaded)} of ${megabytes(now.total)} MB` : "";
      if (seen === now.state + now.sentence) return;
      seen = now.state + now.sentence;
      loading.hidden = now.state !== "loading";
      press.hidden = now.state === "absent";
      press.textContent = BUTTON[now.state] ?? "Run here";
      said.textContent = now.sentence || SAID[now.state];
    };
    element.classList.add("kv-run");
    element.replaceChildren(press, loading, line);
    document.addEventListener("kv-run", draw);
    draw();
  }

  // The deferred scripts after this one find it ready; so does what the page asks of no other script.
  addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-run=panel]").forEach(panel));

  return {
    call, start, stop, panel,
    get state() { return now.state; },
    get sentence() { return now.sentence; },
  };
})();
