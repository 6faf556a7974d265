// Paging: one stream of requests on one memory, reserved beside paged. paging.model.js serves the stream; this file
// draws its frames, and the way of one token from its place in the request, by a table, to its slot.

const percent = (a, b) => (b ? `${fixed((100 * a) / b, 0)} %` : "–");

function render({ model, el }) {
  const f = figure(el, model);
  const { memory, max_tokens, longest, requests, offers } = f.get("data"), shares = Boolean(f.get("limits").share_prefix);
  const [, lastStep] = f.get("limits").step;
  const asRequest = ([arrival, prompt, more, prefix], id) => ({ id, arrival, prompt, more, prefix });
  const added = () => f.get("added").split("_").filter(Boolean).map((one) => one.split(".").map(Number));
  // Everything that is simulated, once for each setting of what it depends on.
  let known = {}, knownFor = null;
  const simulated = () => {
    const size = f.get("block_size"), share = f.get("share_prefix"), name = `${size}${share}`;
    if (knownFor !== f.get("added")) [known, knownFor] = [{}, f.get("added")];
    known.stream ??= [...requests, ...added().map(([step, kind]) => [step, ...offers[kind].slice(1)])].map(asRequest);
    known.reserved ??= served(known.stream, contiguous(memory, max_tokens));
    known[name] ??= served(known.stream, paged(known.stream, memory, size, share));
    return { stream: known.stream, reserved: known.reserved, paged: known[name], size };
  };
  const mine = (stream) => Math.min(f.get("request"), stream.length - 1);

  const played = h("div", { class: "kv-paging-played" });
  f.controls.before(played);
  player(f, "step", { label: "Step", pace: 500, at: played });
  const which = h("select", { id: newId(), onchange: () => f.set("request", which.selectedIndex) });
  f.controls.append(h("div", { class: "kv-control" }, h("label", { for: which.id }, "Request"), which));
  choice(f, "block_size", { label: "Block size", names: Object.fromEntries(f.get("limits").block_size.map((n) => [n, `${n} tokens`])) });
  if (shares) checkbox(f, "share_prefix", { label: "Share the system prompt" });

  const happened = h("p", { class: "kv-paging-happened" }), followed = h("p", { class: "kv-small kv-paging-followed" });
  // The next step after this one, or else the first of all, with something in the frame's list.
  const jump = (list, values = {}) => {
    f.put(values);
    const found = simulated().paged.filter((frame) => frame[list].length), next = found.find(({ step }) => step > f.get("step")) ?? found[0];
    if (next) f.put({ step: next.step, request: next[list][0].request });
    f.notice(next ? "" : `None in this run: ${list === "copied" ? "no shared block is partly filled" : "the memory is never short"}.`);
  };
  const jumps = h("div", { class: "kv-buttons" }, button("Next preemption", () => jump("preempted")),
    shares ? button("Next copy-on-write", () => jump("copied", { share_prefix: true })) : null);
  const point = (token) => { if (token !== under) { under = token; draw(); } };
  const sides = { reserved: side(f, "reserved", point), paged: side(f, "paged", point) };
  let under = null; // the token that a mouse points at, for as long as it does
  const both = h("div", { class: "kv-sides" }, sides.reserved.el, sides.paged.el);
  const time = timeline(f, lastStep), tray = h("div", { class: "kv-buttons kv-paging-tray" });
  f.body.append(jumps, happened, both, followed,
    h("div", { class: "kv-paging-more" }, h("p", { class: "kv-heading" }, "More requests"),
      h("p", { class: "kv-small kv-quiet" }, "Each with its prompt and its new tokens. Drag one to a step of the time line, or into the memory; pressed, it arrives at the step shown."), tray),
    time.el);

  // ---- requests that the reader adds

  const add = (kind, step) => {
    const all = added();
    if (all.length === 6) return f.notice("Six are added, and no more can be: take one away first.");
    f.notice("");
    f.put({ added: [...all, [step, kind]].map((one) => one.join(".")).join("_"), request: requests.length + all.length });
  };
  tray.append(...offers.map(([, prompt, more], kind) => {
    const chip = button(`+ ${prompt} + ${more} tokens`, () => add(kind, f.get("step")), { class: "kv-paging-offer" });
    draggable(f, chip, (event) => time.at(event) ?? (inside(both, event) ? f.get("step") : null), time.mark, (step) => add(kind, step));
    return chip;
  }), button("Take the last away", () => {
    f.notice("");
    f.put({ added: f.get("added").replace(/_?[^_]*$/, ""), request: Math.min(f.get("request"), requests.length + Math.max(0, added().length - 1) - 1) });
  }));
  share(f, "paging");

  // ---- what is said

  const status = (frame, { id, arrival }) => !frame ? "done" : frame.waiting.includes(id) ? "waits" : arrival > frame.step ? "not yet arrived" : "done";
  function follows(id, token, [left, a], [right, b], size) {
    const block = Math.floor(token / size), owners = b && token < b.tokens ? right.refs[b.blocks[block]] : 0;
    const says = (frame, r, words) => !r ? status(frame, simulated().stream[id]) : token < r.tokens ? words() : "not stored yet";
    return `Token ${token} of ${letter(id)}. Reserved: ${says(left, a, () => `slot ${a.start} + ${token} = ${a.start + token}`)}. ` +
      `Paged: ${says(right, b, () => `entry ${token} // ${size} = ${block} of the block table says block ${b.blocks[block]}; offset ${token} % ${size} = ${token % size}; ` +
        `slot ${b.blocks[block]} × ${size} + ${token % size} = ${b.blocks[block] * size + (token % size)}${owners > 1 ? `. ${owners} tables own this block` : ""}`)}.`;
  }

  let fixedFor = "", saidFor = "";
  function draw() {
    const step = f.get("step"), { stream, reserved, paged: run, size } = simulated(), id = mine(stream);
    const left = reserved[step], right = run[step], width = Math.min(sides.reserved.el.clientWidth || 320, 420);
    const [a, b] = [left, right].map((frame) => frame?.running.find((r) => r.request === id));
    // A token that is not there yet stands for the newest that both have.
    const chosen = f.get("token"), least = Math.min(a?.tokens ?? Infinity, b?.tokens ?? Infinity);
    const token = under ?? (chosen < Math.max(a?.tokens ?? 0, b?.tokens ?? 0) ? chosen : least < Infinity ? least - 1 : chosen);
    if (which.options.length !== stream.length) {
      which.replaceChildren(...stream.map((r) => h("option", {}, `${letter(r.id)}: ${r.prompt} + ${r.more} tokens, from step ${r.arrival}`)));
    }
    which.selectedIndex = id;
    const of = [f.width, size, f.get("share_prefix"), f.get("added")].join();
    if (of !== fixedFor) {
      fixedFor = of;
      time.build(stream, reserved, run);
      sides.reserved.keep(reserved);
      sides.paged.keep(run);
      keepRoom(happened, run.map((_, n) => `Paged: ${events(run, n, stream).join(" ")} 100`));
    }
    const entries = Math.ceil(longest / size / ENTRIES);
    sides.reserved.show({ frame: left, frames: reserved, stream, id, token, width, longest, memory, size: null, entries });
    sides.paged.show({ frame: right, frames: run, stream, id, token, width, longest, memory, size, entries });
    time.show(step);
    const news = `Paged: ${events(run, step, stream).join(" ")}`, path = follows(id, token, [left, a], [right, b], size);
    happened.textContent = news;
    followed.textContent = path;
    fill(sides.paged.pad, { "aria-label": `Token of request ${letter(id)}`, "aria-valuemin": 0, "aria-valuenow": token, "aria-valuetext": path,
      "aria-valuemax": Math.max(token, (b?.tokens ?? 1) - 1) }, []);
    const words = (name, frame) => frame ? `${name}: ${frame.running.length} running, ${frame.waiting.length} waiting, ` +
      `${percent(frame.used, memory - frame.free)} of the slots taken hold a token.` : `${name}: all done.`;
    const now = [step, of].join();
    // What a mouse points at in passing is not spoken.
    if (under === null) f.say(now === saidFor ? path : `Step ${step}. ${news} ${words("Reserved", left)} ${words("Paged", right)}`);
    saidFor = now;
    f.table(`Every request at step ${step}`,
      ["request", "arrives", "prompt + new", "reserved", "slots", "paged", "block table"],
      stream.map((r) => {
        const a = left?.running.find((one) => one.request === r.id), b = right?.running.find((one) => one.request === r.id);
        const thrown = right?.preempted.find((one) => one.request === r.id);
        const says = (frame, one) => (one ? `runs, ${one.tokens} tokens` : status(frame, r));
        return [letter(r.id), r.arrival, `${r.prompt} + ${r.more}`, says(left, a), a ? `${a.start} to ${a.start + a.size - 1}` : "–",
          thrown ? `thrown out, ${thrown.tokens} tokens to compute again` : says(right, b),
          b ? b.blocks.map((block) => `${block}${right.refs[block] > 1 ? ` (×${right.refs[block]})` : ""}`).join(" ") : "–"];
      }));
  }
  f.draw(draw);
}

// The room of the longest of `texts` for a paragraph, so that the page keeps still.
function keepRoom(node, texts) {
  node.style.minHeight = "";
  node.textContent = texts.reduce((a, b) => (b.length > a.length ? b : a), "");
  node.style.minHeight = `${node.offsetHeight}px`;
}

const inside = (node, { clientX, clientY }) => {
  const box = node.getBoundingClientRect();
  return clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
};

// Lets `chip` be dragged: over(event) is the step it would arrive at there, or null; mark(step) shows it, drop(step)
// takes it. What is pressed and not moved is a button.
function draggable(f, chip, over, mark, drop) {
  let from = null, moved = false;
  chip.addEventListener("pointerdown", (event) => {
    from = [event.clientX, event.clientY];
    moved = false;
    chip.setPointerCapture(event.pointerId);
    quietly(f);
  });
  chip.addEventListener("pointermove", (event) => {
    if (!from) return;
    const by = [event.clientX - from[0], event.clientY - from[1]];
    moved ||= Math.hypot(...by) > 6;
    if (!moved) return;
    chip.style.transform = `translate(${by[0]}px, ${by[1]}px)`;
    mark(over(event));
  });
  const end = (event) => {
    const step = from && moved && event.type === "pointerup" ? over(event) : null;
    from = null;
    chip.style.transform = "";
    mark(null);
    if (step !== null) drop(step);
  };
  chip.addEventListener("pointerup", end);
  chip.addEventListener("pointercancel", end);
  chip.addEventListener("click", (event) => { if (moved) event.stopImmediatePropagation(); moved = false; }, true);
}

// ---- the time line, on which requests are dropped: when each waits and runs; and the utilisation

function timeline(f, last) {
  const left = 62, right = 20, row = 15; // as in chart()
  let gantt, width = 1, cursors = [];
  const px = (step) => left + (Math.min(step, last) / last) * (width - left - right);
  const el = h("div", { class: "kv-time" }), dropped = svg("g", { class: "kv-paging-drop" });
  const whole = (frames) => frames.reduce((all, { used }) => all + used, 0) / frames.reduce((all, frame) => all + takenIn(frame), 0);
  function build(stream, reserved, run) {
    width = Math.min(f.width, 860);
    const of = [["kv-reserved", reserved, 1], ["kv-paged", run, 8]].map(([kind, frames, down]) => [kind, stays(frames), down]);
    const bars = stream.map(({ id, arrival }) => svg("g", {}, svg("text", { x: left - 8, y: id * row + 12, "text-anchor": "end" }, letter(id)), of.flatMap(([kind, all, down]) => {
      let free = arrival;
      const y = id * row + down, waits = (until) => svg("line", { class: "kv-waits", x1: px(free), x2: px(until), y1: y + 2.5, y2: y + 2.5 });
      return all.get(id).flatMap(({ first, last: end, thrown }) => {
        const parts = [waits(first), svg("rect", { class: kind, x: px(first), y, width: px(end + 1) - px(first), height: 5 }),
          thrown ? ["kv-paging-halo", "kv-paging-cross"].map((look) => svg("path", { class: look, d: `M${px(end + 1) - 4} ${y - 1.5}l8 8m0 -8l-8 8` })) : null];
        free = end + 1;
        return parts.flat();
      });
    })));
    const high = stream.length * row + 4;
    gantt = svg("svg", { width, height: high, viewBox: `0 0 ${width} ${high}`, role: "img", class: "kv-paging-line", onclick: (event) => {
      const id = Math.floor((event.clientY - gantt.getBoundingClientRect().top) / row);
      if (id >= 0 && id < stream.length) f.set("request", id);
    }, "aria-label": `When each request waits and runs: reserved, all are done after ${reserved.length} steps; paged, after ${run.length}.` }, bars, dropped);
    const filled = (frames) => frames.slice(0, last + 1).map((frame) => [frame.step, takenIn(frame) ? (100 * frame.used) / takenIn(frame) : 0]);
    const [a, b] = [reserved, run].map((frames) => `${fixed(100 * whole(frames), 0)} %`);
    const lines = chart(width, 170, {
      x: { min: 0, max: last, label: "step", ticks: [0, 0.25, 0.5, 0.75].map((part) => [Math.round(part * last), Math.round(part * last)]) },
      y: { min: 0, max: 100, label: "", ticks: [0, 25, 50, 75, 100].map((n) => [n, n]) },
      series: [{ points: filled(reserved), color: "reserved", dash: "5 4" }, { points: filled(run), color: "paged" }],
      alt: `Over the whole run ${a} of the slots taken hold a token when reserved, ${b} when paged.`,
    });
    el.replaceChildren(h("p", { class: "kv-heading" }, "When each request waits and runs"), gantt, h("p", { class: "kv-heading" }, "Of the slots taken, % that hold a token"), lines,
      h("p", { class: "kv-small" }, `Hollow bars and dashed line: reserved, ${a} over the whole run. Solid bars and line: paged, ${b}. Dotted: waiting. ✕: thrown out.`));
    cursors = [[gantt, 0, high], [lines, 12, 130]].map(([on, y1, y2]) => on.appendChild(svg("line", { class: "kv-line-time", y1, y2 })));
  }
  const show = (step) => { for (const line of cursors) fill(line, { x1: px(step), x2: px(step) }, []); };
  // The step under a pointer; null elsewhere.
  const at = (event) => inside(gantt, event)
    ? Math.min(last, Math.max(0, Math.round(((event.clientX - gantt.getBoundingClientRect().left - left) / (width - left - right)) * last))) : null;
  const mark = (step) => {
    const high = Number(gantt.getAttribute("height"));
    dropped.replaceChildren(...(step === null ? [] : [svg("line", { x1: px(step), x2: px(step), y1: 0, y2: high }), svg("text", { x: px(step) + (step > last / 2 ? -5 : 5), y: 12, "text-anchor": step > last / 2 ? "end" : "start" }, `arrives at step ${step}`)]));
  };
  return { el, build, show, at, mark };
}
