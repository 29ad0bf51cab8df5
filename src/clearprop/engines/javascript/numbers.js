// What kernels are made of and JavaScript lacks. Of Math's functions a page calls those alone whose
// every bit ECMAScript fixes: abs, sqrt, floor, min, max, sign, imul, fround.

const real = new Float64Array(1);
const words = new Uint32Array(real.buffer);
const HIGH = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0; // which word is the upper one

// Return a polynomial's value by Horner's rule; the highest power's coefficient comes first.
function polynomial(x, coefficients) {
  let total = coefficients[0];
  for (let i = 1; i < coefficients.length; i++) total = total * x + coefficients[i];
  return total;
}

// Return 2^(n + up) for a number that is n + 1.5 * 2^52.
function powerOfTwo(shifted, up) {
  words[1 - HIGH] = 0;
  words[HIGH] = (shifted - 6755399441055744 + up + 1023) << 20;
  return real[0];
}

// Return m from 1/2 to 1 and n with x = m 2^n, for a finite x above 0.
function mantissaAndExponent(x) {
  const up = x < 2.2250738585072014e-308 ? 54 : 0; // a subnormal number has no exponent of its own
  real[0] = up ? x * 18014398509481984 : x;
  const n = (words[HIGH] >>> 20) - 1022;
  words[HIGH] = (words[HIGH] & 0xfffff) | (1022 << 20);
  return [real[0], n - up];
}

// Return x with the sign of `like`, which may be that of a zero.
function copysign(x, like) {
  real[0] = like;
  return words[HIGH] >>> 31 ? -Math.abs(x) : Math.abs(x);
}
