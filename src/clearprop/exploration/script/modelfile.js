// The network as a model file, with the bytes of checkpoint/tensor_file.py: a safetensors file whose
// metadata has the SHA-256 of the whole file, in which its own digits are zeros.

import { data } from "./recipe.js";

const ZEROS = "0".repeat(64);

// Return the bytes of the file that `cp.load` reads.
export function modelFile({ run, position }) {
  const { made } = run.training, { parameters, epoch, step } = run.state, seed = Number(position.recipe.seed);
  const own = made.blocks.map(({ name, shape, offset, size }) => ({ name, shape, values: parameters.subarray(offset, offset + size) }));
  const { described, tensors } = data.own ? { described: data.own.model, tensors: data.own.tensors } : endsOf(run.problem.set);
  const whole = {
    format: 1,
    seed,
    ...described,
    architecture: made.description,
    dtype: "float64",
    training_seed: seed,
    epochs_trained: epoch,
    steps_trained: step,
  };
  return safetensors([...own, ...tensors], whole);
}

// What a file says of raw rows, if they are numbers: their scaling, and the names of inputs and classes.
function endsOf({ inputs, classes, features }) {
  const described = { scaling: false, classes: inputs ? (classes ?? null) : null, feature_names: null, about: {} };
  const isPlain = inputs?.columns.every(({ kind, flagged, words }) => kind === "numeric" && !flagged && !words?.length);
  if (!isPlain || inputs.steps.length !== 1 || !inputs.steps[0].shift) return { described, tensors: [] };
  const n = inputs.columns.length, whole = (values) => Float64Array.from({ length: n }, (_, k) => values[values.length === 1 ? 0 : k]);
  const tensors = ["shift", "factor"].map((name) => ({ name: `scaling.${name}`, shape: [n], values: whole(inputs.steps[0][name]) }));
  return { described: { ...described, scaling: true, feature_names: features ?? inputs.columns.map(({ name }) => name) }, tensors };
}

function safetensors(tensors, metadata) {
  const header = { __metadata__: { clearprop: JSON.stringify({ checksum: `sha256:${ZEROS}`, ...metadata }) } };
  let end = 0;
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: "F64", shape, data_offsets: [end, (end += 8 * values.length)] };
  }
  const encoded = new TextEncoder().encode(JSON.stringify(header)), length = 8 * Math.ceil(encoded.length / 8);
  const bytes = new Uint8Array(8 + length + end).fill(32, 8, 8 + length), view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(length), true);
  bytes.set(encoded, 8);
  tensors.forEach(({ name, values }) => {
    const at = 8 + length + header[name].data_offsets[0];
    for (let i = 0; i < values.length; i++) view.setFloat64(at + 8 * i, values[i], true);
  });
  const digits = new TextEncoder().encode(sha256(bytes));
  bytes.set(digits, 8 + new TextDecoder().decode(encoded).indexOf(ZEROS)); // ASCII before it
  return bytes;
}

// SHA-256, FIPS 180-4: crypto.subtle is not there in a page from http or a notebook's frame.

function sha256(bytes) {
  const { k, h } = constants(), n = 64 * Math.ceil((bytes.length + 9) / 64), padded = new Uint8Array(n), w = new Int32Array(64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(n - 8, BigInt(8 * bytes.length));
  for (let start = 0; start < n; start += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(start + 4 * i);
    for (let i = 16; i < 64; i++) {
      const [a, b] = [w[i - 15], w[i - 2]];
      w[i] = w[i - 16] + (rotated(a, 7) ^ rotated(a, 18) ^ (a >>> 3)) + w[i - 7] + (rotated(b, 17) ^ rotated(b, 19) ^ (b >>> 10));
    }
    compress(h, k, w);
  }
  return Array.from(h, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

function compress(state, k, w) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const one = (h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
    const two = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [a, b, c, d, e, f, g, h] = [(one + two) | 0, a, b, c, (d + one) | 0, e, f, g];
  }
  [a, b, c, d, e, f, g, h].forEach((each, i) => (state[i] += each));
}

function rotated(word, by) {
  return (word >>> by) | (word << (32 - by));
}

// The first 32 bits of the fractions of the cube roots of 64 primes, and of the square roots of eight:
// whole numbers decide the last bit.
function constants() {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  return { k: Int32Array.from(primes, (p) => fraction(p, 3n)), h: Int32Array.from(primes.slice(0, 8), (p) => fraction(p, 2n)) };
}

function fraction(p, n) {
  const whole = BigInt(p) << (32n * n);
  let root = 0n;
  for (let bit = 1n << 36n; bit; bit >>= 1n) if ((root + bit) ** n <= whole) root += bit;
  return Number(BigInt.asIntN(32, root));
}
