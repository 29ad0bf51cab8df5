// From a raw row to an answer: portable/program.py says what a row is, and what outputs stand for.
//
//   model = {columns: [{name, kind, required}], inputs, architecture, members: [[parameter]], answer}
//
// A value is a number, a text, true or false; a missing one is null, undefined, NaN or an empty text; a
// point in time is a text such as 2024-01-31T15:30:00.

// Return what predicts rows: of a table by an object with a value for each name, otherwise by an array.
function predictor({ columns, inputs, architecture, members, answer }) {
  const made = backprop.architecture(architecture);
  const parameters = members.map((each) => Float64Array.from(each));
  return (row) => {
    const cells = columns.map((column, k) => cellOf(column, Array.isArray(row) ? row[k] : row[column.name]));
    const X = backprop.encoded(inputs, [cells]);
    const each = parameters.map((flat) => split(answer, [...backprop.forward(made, flat, X).a.at(-1).row(0)]));
    return answered(answer, each[0].map((_, j) => each.reduce((sum, a) => sum + a[j], 0) / each.length));
  };
}

function cellOf({ name, kind, required }, value) {
  const missing = value === null || value === undefined || value === "" || Number.isNaN(value);
  if (missing && required) throw new RangeError(`${name} must be a number, nothing stands for a missing one`);
  if (missing) return null;
  if (kind === "numeric") return Number.isNaN(Number(value)) ? value : Number(value);
  if (kind !== "datetime") return String(value);
  return /T\d+:\d+$/.test(value) ? `${value}:00` : value;
}

// Return outputs, those of several columns of labels through a softmax for each.
function split({ sizes = [] }, a) {
  let first = 0;
  return sizes.length ? sizes.flatMap((n) => softmaxOf(a.slice(first, (first += n)))) : a;
}

function softmaxOf(z) {
  const most = Math.max(...z), e = z.map((each) => Math.exp(each - most)), sum = e.reduce((s, each) => s + each);
  return e.map((each) => each / sum);
}

function largest(a) {
  return a.reduce((best, each, j) => (each > a[best] ? j : best), 0);
}

// Return {label, probabilities}, {labels, probabilities} of several at a time, or {prediction}.
function answered(answer, a) {
  const { kind, labels, sizes, low, high, middle } = answer;
  if (kind === "quantities") {
    const inside = low ? a.map((each, j) => Math.max(low[j], Math.min(high[j], each))) : a;
    return { prediction: middle ? [inside.sort((one, other) => one - other)[1]] : inside }; // of three quantiles
  }
  if (kind === "indicators") return { labels: a.map((each) => Number(each > 0.5)), probabilities: a };
  if (kind === "classes") return classified(answer, a);
  let first = 0;
  const probabilities = sizes.map((n) => a.slice(first, (first += n)));
  return { labels: probabilities.map((p, k) => labels[k][largest(p)]), probabilities };
}

function classified({ labels: [labels], temperature, smoothing, takenBack, threshold, eps }, a) {
  if (labels.length === 1) return { label: labels[0], probabilities: [1] };
  let p = a.length === 1 ? [1 - a[0], a[0]] : a;
  if (temperature !== null) {
    const [slope, below, left] = takenBack;
    const q = p.map((each) => Math.max(slope * Math.max(each - below, 0) + left, eps));
    p = softmaxOf(q.map((each) => Math.log(each) / temperature)).map((each) => (1 - smoothing) * each + smoothing / p.length);
  }
  const one = Number(threshold === null ? a[0] > 0.5 : p[1] > threshold);
  return { label: labels[threshold === null && a.length > 1 ? largest(a) : one], probabilities: p };
}
