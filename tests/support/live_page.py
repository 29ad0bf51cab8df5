"""The live page in a browser: how tests open it and read its numbers."""

import re

import numpy as np

import clearprop as cp

X = np.array([[0, 1], [1, 0], [0, 0], [1, 1]], float)  # XOR, as the page has it
Y = np.array([[1], [1], [0], [0]], float)
UNEVEN = "#data=xor&hidden=4,3&activation=tanh&output=quadratic&optimizer=adam&rate=0.05&batch=3&seed=7"
VALUES = """() => [...document.querySelectorAll('#net [data-item]')].map(each => {
    each.focus();
    return [each.dataset.item, document.getElementById('value').value];
})"""


def opened(pages, html, fragment="", **how):
    page = pages.open(html, fragment, **how)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def values(page):
    """Return every number that can be changed, to its last digit, by its item in the drawing."""
    return dict(page.evaluate(VALUES))


def parameters(page, net):
    """Return the page's parameters as the library orders them."""
    found = {key: float(value) for key, value in values(page).items()}
    flat = []
    for layer, (n_in, n_out) in enumerate(zip(net.sizes[:-1], net.sizes[1:], strict=True), start=1):
        flat += [found[f"w,{layer},{j},{k}"] for j in range(n_out) for k in range(n_in)]
        flat += [found[f"b,{layer},{j}"] for j in range(n_out)]
    return np.array(flat)


def number(text):
    """Return the number that a page shows."""
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
    return float(text.replace("×10", "e").translate(digits))


def numbers_in(text):
    """Return the numbers in a sentence."""
    return [number(each.rstrip(".")) for each in re.findall(r"−?\d[\d.]*(?:×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?", text)]


def shows(text, value):
    """Return whether a text shows a value to four digits."""
    return abs(number(text) - value) <= 5.01e-4 * abs(value) + 1e-15


def library(epochs):
    net = cp.Network([2, 4, 3, 1], "tanh", "sigmoid", "quadratic", dtype="float64", seed=7)
    if epochs:
        net.fit(X, Y, epochs=epochs, optimizer=cp.Adam(0.05), batch_size=3, seed=7, progress=False)
    return net


def rows_of(page):
    """Return the rows of the page's set, and their targets."""
    found = page.evaluate(
        """() => {
            const row = document.getElementById('row'), found = [];
            for (let i = 1; i <= Number(row.max); i++) {
                row.value = i;
                row.dispatchEvent(new Event('change'));
                found.push([...document.querySelectorAll('[data-item^="x,"], [data-item^="y,"]')].map(each => {
                    each.focus();
                    return Number(document.getElementById('value').value);
                }));
            }
            return found;
        }"""
    )
    return np.array(found)[:, :2], np.array(found)[:, 2:]
