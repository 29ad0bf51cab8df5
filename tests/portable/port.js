// A port of a network of dense layers, written from docs/trace-format.md and docs/equations.md alone.
//
// node port.js golden.json MISTAKE: reads weights, x and y of golden vectors, and prints its own pass as
// JSON in the same schema. MISTAKE plants one of the mistakes that ports have; "none" plants none.

const fs = require("fs");
const [, , file, mistake] = process.argv;
const golden = JSON.parse(fs.readFileSync(file, "utf8"));
const { x, y } = golden.batch, n = x.length;

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const transpose = (M) => M[0].map((_, j) => M.map((row) => row[j]));
const times = (M, v) => M.map((row) => row.reduce((sum, w, i) => sum + w * v[i], 0));
const softmax = (z) => {
  const e = z.map((each) => Math.exp(each - Math.max(...z))), sum = e.reduce((s, each) => s + each);
  return e.map((each) => each / sum);
};

// Forwards: z = W a + b, a = f(z).
const layers = golden.layers.map(({ layer, weight, bias }) => ({ layer, weight, bias, z: [], a: [], delta: [] }));
x.forEach((row) => {
  let a = row;
  layers.forEach((each, l) => {
    let z = times(each.weight, a).map((sum, j) => sum + each.bias[j]);
    if (mistake === "no bias" && l === 1) z = times(each.weight, a);
    a = l === layers.length - 1 ? softmax(z) : z.map(sigmoid);
    each.z.push(z);
    each.a.push(a);
  });
});

// Backwards, the last layer first: BP1 and BP2.
for (let l = layers.length - 1; l >= 0; l--) {
  const { z, a } = layers[l];
  for (let i = 0; i < n; i++) {
    if (l === layers.length - 1) {
      layers[l].delta.push(a[i].map((each, j) => each - y[i][j]));
      continue;
    }
    const next = layers[l + 1], slope = mistake === "slope of a" && l === 0 ? a[i].map((v) => sigmoid(v) * (1 - sigmoid(v))) : z[i].map((v) => sigmoid(v) * (1 - sigmoid(v)));
    layers[l].delta.push(times(transpose(next.weight), next.delta[i]).map((error, j) => error * slope[j]));
  }
}

// BP3 and BP4: means over the samples.
layers.forEach((each, l) => {
  const below = l ? layers[l - 1].a : x, m = mistake === "sum" ? 1 : n;
  const mean = (of) => of.reduce((sum, v) => sum + v, 0) / m;
  each.bias_gradient = each.bias.map((_, j) => mean(each.delta.map((row) => row[j])));
  each.weight_gradient = each.weight.map((row, j) => row.map((_, k) => mean(each.delta.map((d, i) => d[j] * below[i][k]))));
  if (mistake === "transposed" && l === 1) each.weight_gradient = transpose(each.weight_gradient);
});

console.log(JSON.stringify({ format: "trace/2", batch: { x, y }, layers }));
