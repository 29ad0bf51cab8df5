// What a network is made of, from the entry `architecture` of a model's file: architecture.py.
//
//   X, activations of layer 0     (samples, features)      a batch is rows
//   weights[l]                    (out, in)                row: to neuron, column: from neuron
//   biases[l]                     (out)                    a layer may have none
//   z, a, slope, error, delta     (samples, out)           error = dC/da, delta = dC/dz
//
// Parameters are one flat vector; blocks say where each array lies, and how it is treated.

export function architecture(description) {
  const { sizes, cost } = description;
  const made = { description, sizes, cost, inputScale: Boolean(description.input_scale), layers: [], blocks: [] };
  made.embedding = description.embedding ? embeddingOf(description.embedding, sizes[0]) : null;
  made.widths = [made.embedding?.nOutputs ?? sizes[0], ...sizes.slice(1)]; // what each layer sees
  made.layers = description.layers.map(({ activation, bias }, l) => {
    const differ = Array.isArray(activation) && new Set(activation).size > 1; // from neuron to neuron
    const names = differ ? activation : [activation].flat().slice(0, 1);
    const parametric = names.length === 1 && names[0].startsWith(PARAMETRIC);
    const activations = names.map((name) => known("activation", parametric ? name.slice(PARAMETRIC.length) : name, ACTIVATIONS));
    return { size: sizes[l + 1], bias, parametric, names, activations };
  });
  const { names } = made.layers.at(-1);
  made.output = names.length === 1 ? names[0] : "";
  made.costRow = COSTS[`${cost.name} ${made.output}`] ?? known("cost", `${cost.name} `, COSTS);
  let offset = 0;
  const put = (name, shape, kind, factors) => {
    const size = shape.reduce((total, n) => total * n, 1);
    made.blocks.push({ name, shape, offset, size, kind, ...factors });
    offset += size;
    return made.blocks.at(-1);
  };
  const ntk = Boolean(description.ntk), slow = ntk ? 0.1 : 1;
  const scales = { rate: 6, decay: ntk ? 6 : 0, gradient: 1 }, biases = { rate: slow, decay: 0, gradient: 1 };
  const shares = { ...biases, decay: ntk ? slow : 0 };
  made.embedded = Object.entries(made.embedding?.arrays ?? {}).map(([name, [shape, decay, share = slow]]) => [
    name,
    put(`embedding.${name}`, shape, "embedding", { rate: share, decay: ntk ? share : decay, gradient: 1 }),
  ]);
  made.scale = made.inputScale ? put("layers.0.scale", [made.widths[0]], "scales", scales) : null;
  made.layers.forEach((layer, l) => {
    const nIn = made.widths[l], rate = ntk ? 1 / Math.sqrt(nIn) : 1;
    const weights = { rate, decay: 1 / rate, gradient: rate };
    layer.weights = put(`layers.${l}.weight`, [layer.size, nIn], "weights", weights);
    layer.biases = layer.bias ? put(`layers.${l}.bias`, [layer.size], "biases", biases) : null;
    layer.shares = layer.parametric ? put(`layers.${l}.share`, [layer.size], "shares", shares) : null;
  });
  made.nParameters = offset;
  return made;
}

const PARAMETRIC = "parametric_"; // a = z + s (f(z) - z), with a share s of each neuron

function known(what, name, table) {
  if (Object.hasOwn(table, name)) return table[name];
  throw new Error(`the page's engine has no ${what} ${name.trim()}`);
}

// Refuse parameters and rows that do not go with a network.
export function check(made, parameters, X, Y = null) {
  const wrong = [
    ["parameters", parameters.length, made.nParameters],
    ["columns of X", X.columns, made.sizes[0]],
    ...(Y ? [["columns of Y", Y.columns, made.sizes.at(-1)], ["rows of Y", Y.rows, X.rows]] : []),
  ].find(([, got, wanted]) => got !== wanted);
  if (wrong) throw new RangeError(`${wrong[0]} must be ${wrong[2]}, got ${wrong[1]}`);
}

// Return weights, biases and shares (null where a layer has none), input scale and embedding as views.
export function views(made, flat) {
  const of = (block) => block && flat.subarray(block.offset, block.offset + block.size);
  return {
    embedding: Object.fromEntries(made.embedded.map(([name, block]) => [name, of(block)])),
    scale: of(made.scale),
    weights: made.layers.map(({ weights }) => new Matrix(...weights.shape, of(weights))),
    biases: made.layers.map(({ biases }) => of(biases)),
    shares: made.layers.map(({ shares }) => of(shares)),
  };
}

// Return the first parameters; `weights` and `biases` are {name, ...its parameters}.
export function initialParameters(made, weights, biases, seed) {
  if (made.embedding) throw new Error("the page's engine draws no first parameters of an embedding");
  const flat = new Float64Array(made.nParameters);
  const drawn = {
    weights: [weights, PURPOSES.INITIAL_WEIGHTS],
    biases: [biases, PURPOSES.INITIAL_BIASES],
  };
  for (const { name, kind, offset, size } of made.blocks) {
    const place = flat.subarray(offset, offset + size);
    if (kind === "scales" || kind === "shares") {
      place.fill(1);
      continue;
    }
    const [initializer, purpose] = drawn[kind];
    const l = Number(name.split(".")[1]);
    place.set(draw(initializer, size, made.sizes[l], made.sizes[l + 1], seed, purpose, l));
  }
  return flat;
}

function draw(initializer, n, nIn, nOut, seed, purpose, layer) {
  const row = known("initializer", initializer.name, INITIALIZERS);
  const scale = row.scale(nIn, nOut, { ...row.parameters, ...initializer });
  if (row.distribution === "constant") return new Float64Array(n).fill(scale);
  if (row.distribution === "normal") return normals(seed, n, purpose, layer).map((x) => scale * x);
  return uniforms(seed, n, purpose, layer).map((u) => scale * (2 * u - 1));
}
