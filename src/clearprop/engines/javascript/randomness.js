// Random numbers that are looked up, not consumed: randomness.py, with its bits.
//
// Philox 4x32-10 turns a counter (block, row, step modulo 2³², purpose << 28 | layer << 16 | step >> 32)
// and the seed into four words of 32 bits.

const TWO32 = 4294967296;

// Return the upper 32 bits of the product of two 32-bit words.
function upper(a, b) {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 65536);
  return (aHigh * bHigh + Math.floor((middle + aLow * bHigh) / 65536)) >>> 0;
}

// Return the key that a seed is; one from 2⁵³ to 2⁶⁴ - 1 is a text, since a number has not so many digits.
export function keyOf(seed) {
  const whole = BigInt(seed);
  return [Number(whole & 0xffffffffn), Number(whole >> 32n)];
}

// Return four random words.
export function philox([key0, key1], block, row, step, purpose, layer = 0) {
  let x0 = block >>> 0, x1 = row >>> 0, x2 = step % TWO32 >>> 0;
  let x3 = ((purpose << 28) | (layer << 16) | Math.floor(step / TWO32)) >>> 0;
  for (let round = 0; round < 10; round++) {
    const from0 = upper(0xd2511f53, x0), low0 = Math.imul(0xd2511f53, x0) >>> 0;
    const from2 = upper(0xcd9e8d57, x2), low2 = Math.imul(0xcd9e8d57, x2) >>> 0;
    x0 = (from2 ^ x1 ^ key0) >>> 0;
    x1 = low2;
    x2 = (from0 ^ x3 ^ key1) >>> 0;
    x3 = low0;
    key0 = (key0 + 0x9e3779b9) >>> 0;
    key1 = (key1 + 0xbb67ae85) >>> 0;
  }
  return [x0, x1, x2, x3];
}

// Return the words of a stream in pairs, upper and lower: n numbers of 64 bits.
function words64(seed, n, purpose, layer, step) {
  const high = new Uint32Array(n), low = new Uint32Array(n), key = keyOf(seed);
  for (let i = 0; i < n; i += 2) {
    const words = philox(key, i / 2, 0, step, purpose, layer);
    [high[i], low[i]] = words;
    if (i + 1 < n) [high[i + 1], low[i + 1]] = words.slice(2);
  }
  return { high, low };
}

// Return n numbers uniform in [0, 1), of 53 random bits.
export function uniforms(seed, n, purpose, layer = 0, step = 0) {
  const { high, low } = words64(seed, n, purpose, layer, step);
  return Float64Array.from(high, (word, i) => (word * 2097152 + (low[i] >>> 11)) / 9007199254740992);
}

export const cosineAndSine = circle; // of what is drawn on a page too

// Return n numbers from N(0, 1), by the transform of Box and Muller (1958).
export function normals(seed, n, purpose, layer = 0, step = 0) {
  const u = uniforms(seed, n + (n % 2), purpose, layer, step);
  for (let i = 0; i < n; i += 2) {
    const radius = Math.sqrt(-2 * log_one_plus(-u[i]));
    const [cos, sin] = circle(6.283185307179586 * u[i + 1]);
    u[i] = radius * cos;
    u[i + 1] = radius * sin;
  }
  return u.subarray(0, n);
}

// Return the numbers 0 to n - 1 in the random order that belongs to (seed, step): each has a random key.
export function permutation(seed, n, step, purpose = PURPOSES.SAMPLE_ORDER) {
  const { high, low } = words64(seed, n, purpose, 0, step);
  const order = Uint32Array.from(high, (_, i) => i);
  return order.sort((i, j) => high[i] - high[j] || low[i] - low[j] || i - j);
}

// Return which neurons of a layer are kept, row by row: word j mod 4 of block j // 4 is neuron j's.
export function keepMask(seed, step, layer, rows, neurons, rate) {
  const bar = rate * TWO32 + 4503599627370496 - 4503599627370496; // rounded; a half to the even number
  const kept = new Uint8Array(rows * neurons), key = keyOf(seed);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < neurons; j += 4) {
      const words = philox(key, j / 4, i, step, PURPOSES.DROPOUT, layer);
      for (let k = 0; k < Math.min(4, neurons - j); k++) kept[i * neurons + j + k] = words[k] >= bar;
    }
  }
  return kept;
}
