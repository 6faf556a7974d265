// What a page does besides its figures: its buttons, what scrolls by itself, and how it is printed.

for (const button of document.querySelectorAll("[data-does]")) {
  button.addEventListener("click", () => (button.dataset.does === "print" ? print() : toggleFullScreen()));
}

// A box that is wider than the page is reached by keyboard, and only then.
const wide = new ResizeObserver((boxes) => {
  for (const { target } of boxes) {
    const scrolls = target.scrollWidth > target.clientWidth + 1;
    if (scrolls) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
    const name = target.dataset.name ?? (target.matches("pre") ? "What the cell printed" : null);
    if (name && scrolls) { target.setAttribute("role", "group"); target.setAttribute("aria-label", name); }
    else if (name) { target.removeAttribute("role"); target.removeAttribute("aria-label"); }
  }
});
addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".kv-wide, .cell_output pre")) wide.observe(box);
});

// On paper every answer is open, and the reader's own choice stands again afterwards.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll(".bd-article details:not([open])")].filter((answer) => !answer.closest(".kv-figure"));
  for (const answer of closed) answer.open = true;
});
addEventListener("afterprint", () => {
  for (const answer of closed) answer.open = false;
  closed = [];
});
