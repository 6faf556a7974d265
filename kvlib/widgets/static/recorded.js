// Recorded numbers, as recorded.py packs them: { kind, shape, data } with data in base64.
const KINDS_OF_NUMBERS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, f4: Float32Array };

// The numbers as a typed array, row after row; `at(i, j…)` is one of them, `shape` the length of each axis.
function unpacked({ kind, shape, data }) {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const numbers = new KINDS_OF_NUMBERS[kind](bytes.buffer);
  const at = (...index) => numbers[index.reduce((n, i, axis) => n * shape[axis] + i, 0)];
  return Object.assign(numbers, { shape, at });
}
