// Python, in the one worker of a page. run.js starts it, asks it and ends it; there is no other way to stop it.
//
//     in    { start: "runtime-….json", most }   once: the list of files, beside this one, and bytes of memory
//           { id, name, payload }                then, one at a time: what kvlib.page.answer is to be asked
//     out   { loaded, total }                    bytes, as they come
//           { ready } or { failed: sentence }
//           { id, answer, spent }                JSON; spent: memory ran out, so this worker is to be ended

const POLICY = "the server's policy forbids WebAssembly; it needs script-src 'self' 'wasm-unsafe-eval'";

let answer = null; // kvlib.page.answer
let spent = false;

onmessage = async ({ data }) => {
  if (data.start) {
    try {
      answer = await start(new URL(data.start, location.href), data.most);
      postMessage({ ready: true });
    } catch (error) {
      postMessage({ failed: String(error?.message ?? error) });
    }
  } else {
    try {
      postMessage({ id: data.id, answer: answer(data.name, data.payload), spent });
    } catch (error) {
      // Python itself broke, say for want of stack: nothing of it is to be asked again.
      const bug = String(error?.message ?? error).slice(0, 8000);
      postMessage({ id: data.id, answer: JSON.stringify({ bug }), spent: true });
    }
  }
};

async function start(address, most) {
  try {
    new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])); // the least there is
  } catch {
    throw new Error(POLICY);
  }
  const list = await (await got(address)).json();
  const total = Object.values(list.files).reduce((sum, bytes) => sum + bytes, 0);
  let loaded = 0;
  const count = (bytes) => postMessage({ loaded: (loaded += bytes), total });
  // What Python's own loader fetches is counted on its way, and taken from the browser's store if it is there:
  // the names carry versions and hashes. Sizes are the list's, for a server may say none, or a compressed one.
  const fetched = fetch;
  // Its failures are told here, for Python's loader keeps some to itself and waits for ever.
  const fail = (error) => {
    postMessage({ failed: error.message });
    throw error;
  };
  globalThis.fetch = (url) => got(url, fetched).then((response) => counted(response, count, fail), fail);

  const home = new URL(list.folder, address).href;
  const module = async (name) => {
    const loaded = await import(home + name);
    count(list.files[list.folder + name]);
    return loaded;
  };
  const [{ loadPyodide }, { default: createPyodideModule }, packed] = await Promise.all([
    module("pyodide.mjs"),
    module("pyodide.asm.mjs"),
    fetch(new URL(list.kvlib, address)).then((response) => response.arrayBuffer()),
  ]);
  bound(most);
  const python = await loadPyodide({
    indexURL: home, createPyodideModule, lockFileContents: list.lock,
    stdin: () => null, stdout: () => {}, stderr: () => {}, // what is printed, kvlib.page keeps
    jsglobals: {}, // `import js` finds nothing
  });
  python.unpackArchive(packed, "zip", { extractDir: "/kvlib" });
  python.runPython("import sys; sys.path.insert(0, '/kvlib')");
  const asked = python.pyimport("kvlib.page").answer;
  shut();
  return asked;
}

// From the browser's store, whatever its age; but a failure that was stored is tried again.
async function got(url, by = fetch) {
  let response = await by(url, { cache: "force-cache" });
  if (!response.ok) response = await by(url, { cache: "reload" });
  if (!response.ok) throw new Error(`${new URL(url).pathname} was not found (${response.status})`);
  return response;
}

function counted(response, count, fail) {
  const { readable, writable } = new TransformStream({
    transform(chunk, out) {
      count(chunk.byteLength);
      out.enqueue(chunk);
    },
  });
  response.body.pipeTo(writable).catch(() => fail(new Error("the connection was lost"))).catch(() => {});
  return new Response(readable, { headers: response.headers });
}

// Python may grow to so many bytes. Then it gets no more, and says MemoryError.
function bound(most) {
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (this.buffer.byteLength + pages * 65536 > most) {
      spent = true;
      throw new RangeError("memory");
    }
    return grow.call(this, pages);
  };
}

// Code that the reader runs finds nothing here that sends or keeps. It is no wall: only the server's policy is.
function shut() {
  const names = ["fetch", "XMLHttpRequest", "WebSocket", "WebTransport", "EventSource", "Worker", "BroadcastChannel"];
  for (const name of [...names, "importScripts", "indexedDB", "caches", "navigator"]) {
    for (let at = globalThis; at; at = Object.getPrototypeOf(at)) delete at[name];
  }
}
