// Embeddings: before layer 1, each number becomes several; input_embedding.py and embeddings.py.
//
//   h = phi(x) V + b,  E = f(h)         for each input that is embedded
//
//   piecewise linear    phi = x, e_1, ..., e_T: how much of each bin lies below x
//   periodic            phi = cos and sin of the phases 2 pi c x; f is relu
//   PBLD                phi = cos of the phases 2 pi c x + r; x itself is appended to E
//
// and of a category's one-hot columns u its vector, E = u Q.
//
// Tables of one row for a sample hold the basis phi (m numbers of each embedded input), h and delta (d).

const TURN = 6.283185307179586;

// Return what passes need to know of the embedding that a file describes, and its arrays of parameters.
function embeddingOf(description, nFeatures) {
  const { kind, size, columns, edges, n_frequencies: waves = 0, lite = false } = description;
  const { groups, size: nOfVector } = description.categories ?? { groups: [], size: 0 };
  const oneHot = groups.flat();
  if (!["piecewise_linear", "periodic", "pbld", "categories"].includes(kind)) {
    throw new Error(`the page's engine has no embedding ${kind}`);
  }
  const appends = kind === "pbld", d = size - (appends ? 1 : 0), f = columns.length;
  const m = edges ? Math.max(...edges.map((each) => each.length)) : kind === "periodic" ? 2 * waves : waves;
  const first = []; // where the numbers of each input begin
  let nOutputs = 0;
  for (let k = 0; k < nFeatures; k++) {
    first.push(nOutputs);
    if (groups.some((group) => group[0] === k)) nOutputs += nOfVector;
    else if (!oneHot.includes(k)) nOutputs += columns.includes(k) ? size : 1;
  }
  groups.forEach((group) => group.forEach((k) => (first[k] = first[group[0]])));
  const own = lite ? [] : [f], arrays = {}; // each its shape, decay, and share of RealMLP's rate
  if (waves) arrays.frequency = [[f, waves], 0];
  if (appends) arrays.phase = [[f, waves], 0];
  if (f) arrays.weight = [[...own, m, d], 1];
  if (f) arrays.bias = [[...own, d], 0];
  if (groups.length) arrays.vectors = [[oneHot.length, nOfVector], 1, 1];
  const activation = kind === "periodic" ? ACTIVATIONS.relu : ACTIVATIONS.identity;
  const bins = edges?.map(binsOf);
  return { kind, columns, appends, waves, lite, m, d, f, first, nOutputs, arrays, activation, bins, oneHot, nOfVector };
}

// Return slope and shift of every e = slope x + shift, and between which numbers it is kept.
function binsOf(edges) {
  return edges.slice(1).map((right, t) => {
    const slope = 1 / (right - edges[t]);
    return {
      slope,
      shift: -edges[t] * slope,
      least: t === 0 ? -Infinity : 0,
      most: t === edges.length - 2 ? Infinity : 1,
    };
  });
}

// Return what layer 1 sees of X, and what is on the way; `p` has the arrays by their names.
function embed(its, p, X) {
  const { f, m, d, waves } = its;
  const passed = { its, p, X, out: new Matrix(X.rows, its.nOutputs) };
  passed.basis = new Matrix(X.rows, f * m);
  passed.sines = new Matrix(X.rows, f * waves);
  passed.slope = new Matrix(X.rows, f * d);
  for (let i = 0; i < X.rows; i++) {
    const x = X.row(i), out = passed.out.row(i);
    its.first.forEach((at, k) => (out[at] = x[k])); // those that are embedded are written over
    its.oneHot.forEach((k) => out.fill(0, its.first[k], its.first[k] + its.nOfVector));
    its.oneHot.forEach((k, t) => addProduct(out, its.first[k], x[k], vectorOf(its, p.vectors, t)));
    its.columns.forEach((column, k) => {
      const phi = passed.basis.row(i).subarray(k * m, (k + 1) * m);
      putBasis(its, p, x[column], k, phi, passed.sines.row(i).subarray(k * waves, (k + 1) * waves));
      const { V, b } = mapOf(its, p, k), at = its.first[column];
      for (let j = 0; j < d; j++) {
        let h = 0;
        for (let t = 0; t < m; t++) h += phi[t] * V[t * d + j];
        [out[at + j], passed.slope.row(i)[k * d + j]] = its.activation(h + b[j]);
      }
      if (its.appends) out[at + d] = x[column];
    });
  }
  return passed;
}

function vectorOf({ nOfVector }, vectors, t) {
  return vectors.subarray(t * nOfVector, (t + 1) * nOfVector);
}

function addProduct(out, at, u, vector) {
  for (let j = 0; j < vector.length; j++) out[at + j] += u * vector[j];
}

function mapOf({ lite, m, d }, p, k) {
  const own = lite ? 0 : k; // or one for all inputs
  return { V: p.weight.subarray(own * m * d, (own + 1) * m * d), b: p.bias.subarray(own * d, (own + 1) * d) };
}

function putBasis({ bins, waves, m }, p, x, k, phi, sines) {
  if (bins) {
    phi[0] = x;
    bins[k].forEach(({ slope, shift, least, most }, t) => {
      const e = x * slope + shift;
      phi[1 + t] = e < least ? least : e > most ? most : e;
    });
  }
  for (let t = 0; t < waves; t++) {
    const turns = x * p.frequency[k * waves + t] + (p.phase ? p.phase[k * waves + t] / TURN : 0);
    [phi[t], sines[t]] = turned(turns);
    if (m > waves) phi[waves + t] = sines[t];
  }
}

// Return dC/dh, dC/dphi and dC/dphase from error = dC/dE.
function embeddingBackward(passed, error) {
  const { its, p, basis, sines, slope } = passed, { f, m, d, waves } = its, rows = error.rows;
  const back = { error, h: new Matrix(rows, f * d), basis: new Matrix(rows, f * m), phase: new Matrix(rows, f * waves) };
  for (let i = 0; i < rows; i++) {
    its.columns.forEach((column, k) => {
      const { V } = mapOf(its, p, k), delta = back.h.row(i), ofBasis = back.basis.row(i);
      for (let j = 0; j < d; j++) {
        delta[k * d + j] = error.row(i)[its.first[column] + j] * slope.row(i)[k * d + j]; // as BP1
      }
      for (let t = 0; t < m; t++) {
        for (let j = 0; j < d; j++) ofBasis[k * m + t] += delta[k * d + j] * V[t * d + j]; // as BP2
      }
      for (let t = 0; t < waves; t++) {
        const sin = sines.row(i)[k * waves + t], cos = basis.row(i)[k * m + t];
        let ofPhase = -sin * ofBasis[k * m + t];
        if (m > waves) ofPhase += cos * ofBasis[k * m + waves + t];
        back.phase.row(i)[k * waves + t] = ofPhase;
      }
    });
  }
  return back;
}

// Add to each array of `g` the sum over the samples of its gradient.
function addEmbeddingGradient(passed, back, g) {
  const { its, basis, X } = passed, { m, d, waves } = its;
  for (let i = 0; i < X.rows; i++) {
    its.oneHot.forEach((column, t) => {
      const first = its.first[column], error = back.error.row(i).subarray(first, first + its.nOfVector);
      addProduct(vectorOf(its, g.vectors, t), 0, X.row(i)[column], error);
    });
    its.columns.forEach((column, k) => {
      const { V, b } = mapOf(its, g, k), delta = back.h.row(i).subarray(k * d, (k + 1) * d);
      for (let j = 0; j < d; j++) {
        b[j] += delta[j]; // BP3
        for (let t = 0; t < m; t++) V[t * d + j] += basis.row(i)[k * m + t] * delta[j]; // BP4
      }
      for (let t = 0; t < waves; t++) {
        const ofPhase = back.phase.row(i)[k * waves + t];
        g.frequency[k * waves + t] += TURN * X.row(i)[column] * ofPhase;
        if (g.phase) g.phase[k * waves + t] += ofPhase;
      }
    });
  }
}

// Return dC/dX from dC/dE.
function embeddingInputError(passed, error) {
  const { its, p, X } = passed, { m, d, waves, bins } = its, back = embeddingBackward(passed, error);
  const made = new Matrix(X.rows, X.columns);
  for (let i = 0; i < X.rows; i++) {
    const out = made.row(i), ofBasis = back.basis.row(i);
    its.first.forEach((at, k) => (out[k] = error.row(i)[at]));
    its.oneHot.forEach((k, t) => {
      out[k] = vectorOf(its, p.vectors, t).reduce((total, q, j) => total + q * error.row(i)[its.first[k] + j], 0);
    });
    its.columns.forEach((column, k) => {
      let total = its.appends ? error.row(i)[its.first[column] + d] : 0;
      if (bins) total += ofBasis[k * m];
      bins?.[k].forEach(({ slope, shift, least, most }, t) => {
        const e = X.row(i)[column] * slope + shift;
        if (e >= least && e <= most) total += ofBasis[k * m + 1 + t] * slope;
      });
      for (let t = 0; t < waves; t++) {
        total += TURN * back.phase.row(i)[k * waves + t] * p.frequency[k * waves + t];
      }
      out[column] = total;
    });
  }
  return made;
}
