// What the exercises and the forms are built of: kvDom.make(tag, properties, …children), an element, and
// kvDom.press(text, does), a button. Whatever they are given is put in as text.

const kvDom = (() => {
  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function press(textContent, does) {
    const button = make("button", { type: "button", textContent });
    button.addEventListener("click", does);
    return button;
  }

  return { make, press };
})();
