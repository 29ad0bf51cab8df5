// How numbers are shown and typed on every page; the rule is that of clearprop.explain.printers.digits.

export function general(number, digits, keepZeros) {
  const [mantissa, e] = number.toExponential(digits - 1).split("e");
  const exponent = Number(e);
  const isLong = exponent < -4 || exponent >= digits;
  let text = isLong ? mantissa : number.toFixed(digits - 1 - exponent);
  if (!keepZeros && text.includes(".")) text = text.replace(/\.?0+$/, "");
  if (keepZeros && !text.includes(".")) text += ".";
  if (!isLong) return text;
  return `${text}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

// Rounded to significant digits, or exact where that is shorter; `single`: as a float32.
export function shown(number, digits, single = false) {
  if (Number.isNaN(number)) return "NaN";
  if (!Number.isFinite(number)) return number > 0 ? "inf" : "-inf";
  const positive = number === 0 ? 0 : number;
  const rounded = general(positive, digits, false);
  const same = single ? Math.fround(Number(rounded)) === Math.fround(positive) : Number(rounded) === positive;
  if (same) return /[.e]/.test(rounded) ? rounded : `${rounded}.0`;
  return general(positive, digits, true);
}

const ABOVE = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

// 1.2e-05 as 1.2×10⁻⁵, with a minus sign.
export function written(text) {
  const whole = text.replace("inf", "∞");
  const [mantissa, e] = whole.includes("∞") ? [whole] : whole.split("e");
  const exponent = e === undefined ? "" : `×10${String(Number(e)).replace(/./g, (each) => ABOVE[each])}`;
  return (mantissa + exponent).replaceAll("-", "−");
}

// What a reader typed: 0,5 and 1.2×10^-3 are numbers as well.
export function typed(given) {
  const cleaned = given
    .trim()
    .replace("−", "-")
    .replace(",", ".")
    .replace(/\s*[×x*]\s*10\^?\s*/i, "e");
  return cleaned === "" ? NaN : Number(cleaned);
}
