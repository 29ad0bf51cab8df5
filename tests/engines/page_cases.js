// What the tests ask of the page's engine, `backprop`: the same in Node and in a browser. Numbers go back
// as the hexadecimal digits of their bits, since JSON has neither -0 nor NaN.

const hex = (numbers) =>
  [...new BigUint64Array(Float64Array.from(numbers).buffer)].map((w) => w.toString(16).padStart(16, "0")).join("");

const CASES = {
  function({ name, x }) {
    return { of: hex(x.flatMap((each) => backprop[name](...[each].flat().map(Number)))) };
  },

  blocks({ description }) {
    return { blocks: backprop.architecture(description).blocks };
  },

  pass({ description, parameters, X, Y, sampleWeight, keep }) {
    const made = backprop.architecture(description), p = Float64Array.from(parameters);
    const [inputs, targets] = [X, Y].map((rows) => backprop.Matrix.of(rows));
    const kept = keep?.map((each) => each && backprop.Matrix.of(each));
    const passed = backprop.forward(made, p, inputs, kept ?? null);
    const back = backprop.backward(made, p, passed, targets, sampleWeight ?? null);
    const all = (tables) => hex(tables.flatMap((each) => [...each.data]));
    return {
      z: all(passed.z),
      a: all(passed.a),
      costs: hex(back.costs),
      error: all(back.error),
      delta: all(back.delta),
      gradient: hex(backprop.gradient(made, passed, back)),
      input: all([backprop.inputError(made, p, passed, back.delta[0])]),
    };
  },

  training({ description, parameters, X, Y, plan, epochs, sampleWeight }) {
    const made = backprop.architecture(description);
    const [inputs, targets] = [X, Y].map((rows) => backprop.Matrix.of(rows));
    const training = new backprop.Training(made, parameters, inputs, targets, plan, sampleWeight ?? null);
    const costs = Array.from({ length: epochs }, () => training.epoch());
    return { costs: hex(costs.map((each) => each ?? NaN)), parameters: hex(training.state.parameters) };
  },

  // Four steps on, back to a copy of the state, and on again.
  stepBack({ description, parameters, X, Y, plan }) {
    const made = backprop.architecture(description);
    const [inputs, targets] = [X, Y].map((rows) => backprop.Matrix.of(rows));
    const training = new backprop.Training(made, parameters, inputs, targets, plan);
    const ahead = () => {
      const before = structuredClone(training.state), seen = [training.look().cost];
      for (let i = 0; i < 4; i++) seen.push(training.step().cost);
      seen.push(...training.state.parameters);
      training.state = before;
      return seen;
    };
    training.step();
    return { first: hex(ahead()), again: hex(ahead()) };
  },

  draw({ name, given }) {
    return { of: hex([...backprop[name](...given)]) };
  },

  encode({ inputs, rows }) {
    const made = backprop.encoded(inputs, rows);
    return { of: hex(made.data), columns: made.columns, names: backprop.encodedNames(inputs) };
  },

  start({ description, weights, biases, seed }) {
    return { of: hex(backprop.initialParameters(backprop.architecture(description), weights, biases, seed)) };
  },
};

const answers = (cases) =>
  cases.map(({ kind, ...given }) => {
    try {
      return CASES[kind](given);
    } catch (problem) {
      return { refused: problem.message };
    }
  });
