"""Who takes part: one file each, written as that library's own users would write it well.

A contestant is a class ``Contestant(work, rows, weights, biases, threads)`` with

- ``epochs(orders)``: a pass over the rows in each of these orders, finished when it returns; an order
  is ``slice(None)`` where a batch is all rows, which need no order;
- ``parameters()``: weights (n_out, n_in) and biases (n_out,) as NumPy arrays;
- ``predict(X)``: the outputs for the rows of a NumPy array, as a NumPy array;
- ``notes``: what it chose or where it differs; ``nearest`` is a sentence where it cannot do the
  workload and does the nearest it can, which no equality is asked of.

Shuffled copies are made inside the timed part, as in anyone's training; the order itself is given
for nothing to all but clearprop, which draws its own.
"""

NAMES = ("clearprop", "torch_eager", "torch_compile", "jax", "sklearn", "numpy")
UNLISTED = ("clearprop_reference", "mutant", "products")
LABELS = {
    "clearprop": "clearprop",
    "clearprop_reference": "clearprop, engine numpy",
    "torch_eager": "PyTorch eager",
    "torch_compile": "PyTorch compiled",
    "jax": "JAX",
    "sklearn": "scikit-learn",
    "numpy": "plain NumPy",
    "mutant": "mutant (wrong rate)",
    "products": "bare products",
}
NEEDS = {"torch_eager": "torch", "torch_compile": "torch", "jax": "jax", "sklearn": "sklearn"}
