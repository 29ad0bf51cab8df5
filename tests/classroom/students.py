"""Students: the steps of a pass in plain NumPy, every result rounded as the sheet asks, one done wrongly."""

import numpy as np

F = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh, "relu": lambda z: np.maximum(z, 0),
     "identity": lambda z: z}  # fmt: skip
SLOPE = {"sigmoid": lambda z: F["sigmoid"](z) * (1 - F["sigmoid"](z)), "tanh": lambda z: 1 - np.tanh(z) ** 2,
         "relu": lambda z: (z > 0) * 1.0, "identity": np.ones_like}  # fmt: skip


def rounded(array, digits=4):
    return np.vectorize(lambda x: float(f"{x:.{digits}g}"))(np.asarray(array, float))


class Student:
    """Works through a quadratic cost; `wrong` maps (quantity, layer) to what is done in its place."""

    def __init__(self, worksheet, wrong=(), digits=4):
        self.sheet, self.wrong, self.digits = worksheet, dict(wrong), digits
        self.W, self.b = worksheet.net.weights, worksheet.net.biases
        self.f = [layer.function.name for layer in worksheet.net.architecture.layers]
        self.x, self.y = worksheet.trace.X, worksheet.trace.Y
        self.v = {("a", 0): self.x}

    def __getitem__(self, key):
        return self.v[key]

    def put(self, quantity, layer, right):
        done = self.wrong.get((quantity, layer))
        self.v[quantity, layer] = rounded(right if done is None else done(self, right), self.digits)

    def work(self):
        last, m, v = len(self.W), len(self.x), self.v
        for l, (W, b, f) in enumerate(zip(self.W, self.b, self.f, strict=True), 1):  # noqa: E741
            self.put("z", l, v["a", l - 1] @ W.T + b)
            self.put("a", l, F[f](v["z", l]))
        self.put("sample_cost", 0, ((v["a", last] - self.y) ** 2).sum(axis=1) / 2)
        self.put("cost", 0, v["sample_cost", 0].mean())
        self.put("error", last, v["a", last] - self.y)
        self.put("delta", last, v["error", last] * SLOPE[self.f[-1]](v["z", last]))
        for l in range(last - 1, 0, -1):  # noqa: E741
            back = v["delta", l + 1] @ self.W[l]
            self.put("delta", l, back * SLOPE[self.f[l - 1]](v["z", l]))
        for l in range(last, 0, -1):  # noqa: E741
            self.put("weight_gradient", l, v["delta", l].T @ v["a", l - 1] / m)
            self.put("bias_gradient", l, v["delta", l].mean(axis=0))
        for l in range(1, last + 1):  # noqa: E741
            rate = self.sheet.learning_rate or 0.0  # none is on a sheet without an update
            self.put("weight_after", l, self.W[l - 1] - rate * v["weight_gradient", l])
            self.put("bias_after", l, self.b[l - 1] - rate * v["bias_gradient", l])
        return self

    def answers(self):
        """By the numbers of the blanks, in the notation's units."""
        return {
            n: float(self.v[quantity, layer][place]) * num.factor
            for n, ((quantity, layer, place), num) in enumerate(self.sheet.asked.items(), 1)
        }
