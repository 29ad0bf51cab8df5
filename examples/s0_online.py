"""S0: one sample at a time through sigmoid layers and a softmax.

First the eight steps of its last section (A8), for one sample, in its vector equations (8)-(13);
then the same steps for every sample of an epoch. Since each sample is seen before it is learned
from, the share of the last x samples that were right is an honest running accuracy.

    python examples/s0_online.py [--data mnist|digits] [--epochs 2] [--last 500]
"""

import argparse

import numpy as np

import clearprop as cp


def eight_steps(net, x, y, learning_rate):
    """Return the weights and biases after one sample: S0's algorithm, vectors as it writes them."""
    w, b = [W.copy() for W in net.weights], [bias.copy() for bias in net.biases]
    last = len(w) - 1

    print("1  feed the sample forward, storing the activations")
    a = [x]
    for l in range(last):  # noqa: E741 - the layer, as in the equations
        a.append(1 / (1 + np.exp(-(w[l] @ a[l] + b[l]))))
    e = np.exp(w[last] @ a[last] + b[last])
    a.append(e / e.sum())

    print(f"2  cost {-(y * np.log(a[-1])).sum():.6f}; guessed {a[-1].argmax()}, it is a {y.argmax()}")

    print("3  the gradients of the last layer                         (8), (9)")
    dw, db = [None] * len(w), [None] * len(w)
    carried = a[-1] - y  # dC/da times da/dz: (7)
    dw[last], db[last] = np.outer(carried, a[-2]), carried

    for l in reversed(range(last)):  # noqa: E741
        first = l == last - 1
        print(
            f"{4 if first else 6}  the gradient of the activations of layer {l + 1}             ",
            end="",
        )
        print("(13)" if first else "(12)")
        error = w[l + 1].T @ carried
        print(
            f"{5 if first else ' '}  from it, the gradients of its weights and biases        (10), (11)"
        )
        carried = error * a[l + 1] * (1 - a[l + 1])  # sigma', as a function of the activation (X35)
        dw[l], db[l] = np.outer(carried, a[l]), carried

    print("7  subtract the gradients, times a small learning rate, from weights and biases")
    for l in range(last + 1):  # noqa: E741
        w[l] -= learning_rate * dw[l]
        b[l] -= learning_rate * db[l]
    print("8  go back to 1")
    return w, b


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="mnist", choices=("mnist", "digits"))
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--last", type=int, default=500, help="samples of the running accuracy")
    arguments = parser.parse_args()
    try:
        data = cp.data.load(arguments.data)
    except OSError as error:
        print(f"{error}\nso this is the small set digits instead")
        data = cp.data.load("digits")

    net = cp.Network(
        [data.n_features, 32, 16, 10],
        activation="sigmoid",
        output="softmax",
        cost="cross_entropy",
        scaling=data.scaling,
        dtype="float64",
        seed=0,
    )
    learning_rate = 0.1
    X, Y = data.X_train[:10_000], data.Y_train[:10_000]
    w, b = eight_steps(net, net.inputs(X[:1])[0], np.eye(10)[Y[0]], learning_rate)
    one = net.copy()
    online = {"batch_size": 1, "optimizer": cp.SGD(learning_rate), "progress": False}
    one.fit(X[:1], np.eye(10)[Y[:1]], epochs=1, **online)
    for layer in range(3):
        assert np.allclose(one.weights[layer], w[layer], rtol=1e-12, atol=1e-15)
        assert np.allclose(one.biases[layer], b[layer], rtol=1e-12, atol=1e-15)
    print("after this sample the network's weights and biases equal the eight steps' to 1e-12\n")

    training = cp.Training(
        net,
        X,
        Y,
        running_window=arguments.last,
        running_every=arguments.last,
        metrics=("accuracy",),
        train_metrics=True,
        validation_data=data.test,
        **online,
    )
    print(f"{data.name}: {len(X):,} samples, one at a time")
    for _ in range(arguments.epochs):
        history = training.run(1)
        print(
            f"epoch {len(history)}: of the last {arguments.last} samples "
            f"{history['running_accuracy'][-1]:.1%} were right when they came; global accuracy "
            f"{history['training_accuracy'][-1]:.1%}, on the test images "
            f"{history['validation_accuracy'][-1]:.1%}"
        )
    shares = ", ".join(f"{share:.0%}" for share in history.running["running_accuracy"])
    print(f"and on the way, after every {arguments.last} samples: {shares}")


if __name__ == "__main__":
    main()
