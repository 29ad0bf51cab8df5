import warnings

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import oracles
from clearprop import activations
from clearprop.activations import Activation, resolve
from clearprop.architecture import Layer
from tables import ACTIVATIONS, PER_NEURON, SMOOTH

DTYPES = ["float32", "float64"]
ORDINARY = np.concatenate([np.linspace(-20, 20, 401) + 0.013, [-300.0, 300.0]])
EXTREME = np.unique(
    np.concatenate(
        [
            np.linspace(-1e4, 1e4, 4001),
            np.linspace(-760, 120, 9001),  # where exp underflows, and float32's overflows
            10.0 ** np.arange(-320, 4.1, 0.7),
            -(10.0 ** np.arange(-320, 4.1, 0.7)),
            [0.0, -0.0],
        ]
    )
)
ids = {"ids": lambda f: getattr(f, "name", f)}
softmax = activations.ACTIVATIONS["softmax"]


@pytest.mark.parametrize("activation", ACTIVATIONS, **ids)
def test_values_and_slopes_agree_with_the_printed_formulas(activation):
    f, slope = oracles.SCALAR[activation.name]
    z = ORDINARY
    # gelu's tail multiplies a rounding of z by z^2.
    rtol = 2e-13 if activation.name == "gelu" else 1e-14
    np.testing.assert_allclose(activation(z), [f(v) for v in z], rtol=rtol, atol=1e-300)
    # The printed 1 - tanh^2 loses digits where tanh is near 1; ours does not.
    np.testing.assert_allclose(activation.slope(z), [slope(v) for v in z], rtol=1e-11, atol=2e-15)


def test_values_agree_with_scipy():
    z = ORDINARY
    f = activations.ACTIVATIONS
    np.testing.assert_allclose(f["sigmoid"](z), scipy.special.expit(z), rtol=1e-14)
    np.testing.assert_allclose(f["gelu"](z), z * scipy.special.ndtr(z), rtol=1e-12)
    np.testing.assert_allclose(f["softplus"](z), -scipy.special.log_expit(-z), rtol=1e-14)
    rows = z[:400].reshape(-1, 8)
    np.testing.assert_allclose(softmax(rows), scipy.special.softmax(rows, axis=1), rtol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS, **ids)
def test_slope_agrees_with_central_differences(activation):
    z, h = np.linspace(-6, 6, 240) + 0.0137, 1e-5  # none within h of a kink
    numeric = (activation(z + h) - activation(z - h)) / (2 * h)
    np.testing.assert_allclose(activation.slope(z), numeric, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("activation", SMOOTH, **ids)
def test_slope_agrees_with_the_complex_step(activation):
    z = np.concatenate([np.linspace(-40, 40, 801) + 0.0137, [-600.0, 600.0]])
    exact = oracles.complex_step(activation, z)
    # NumPy's log1p of a complex number is as rough as log(1 + z): mish sees that below z = -10.
    atol = 4e-15 if activation.name == "mish" else 1e-290
    np.testing.assert_allclose(activation.slope(z), exact, rtol=1e-12, atol=atol)


def test_slope_of_sigmoid_and_tanh_keeps_its_digits_where_one_minus_a_has_none():
    # 1 - sigma(40) is 0 in float64; the slope there is e^-40 to full precision.
    e = np.exp(-40.0)
    f = activations.ACTIVATIONS
    np.testing.assert_allclose(
        f["sigmoid"].slope(np.array([40.0, -40.0])), e / (1 + e) ** 2, rtol=1e-15
    )
    np.testing.assert_allclose(
        f["tanh"].slope(np.array([20.0, -20.0])), 4 * e / (1 + e) ** 2, rtol=1e-15
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS, **ids)
def test_no_warning_and_nothing_but_finite_numbers_up_to_1e4(activation, dtype):
    z = EXTREME.astype(dtype)
    if activation.name == "exp":
        z = z[z < np.log(np.finfo(dtype).max)]  # beyond, infinity is the honest answer
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for values in (activation(z), activation.slope(z)):
            assert values.dtype == z.dtype
            assert values.shape == z.shape
            assert np.isfinite(values).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_and_its_jacobian_are_finite_and_silent_up_to_1e4(dtype):
    z = EXTREME.astype(dtype)
    z = np.stack([z, np.zeros_like(z), z[::-1]], axis=1)
    with np.errstate(all="raise"):
        a, jacobian = softmax(z), softmax.slope(z)
    assert a.dtype == jacobian.dtype == z.dtype
    np.testing.assert_allclose(a.sum(axis=1), 1, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(jacobian.sum(axis=2), 0, atol=4 * np.finfo(dtype).eps)


def test_exp_overflows_to_infinity_silently():
    with np.errstate(all="raise"):
        assert activations.ACTIVATIONS["exp"](np.array([1000.0]))[0] == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS, **ids)
def test_float32_agrees_with_float64(activation, dtype):
    z = (np.linspace(-30, 30, 601) + 0.01).astype(np.float32)
    np.testing.assert_allclose(
        activation(z), activation(z.astype(np.float64)), rtol=2e-5, atol=1e-30, err_msg="function"
    )
    np.testing.assert_allclose(
        activation.slope(z), activation.slope(z.astype(np.float64)), rtol=2e-5, atol=1e-7
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [*ACTIVATIONS, softmax], **ids)
def test_nan_stays_nan(activation, dtype):
    z = np.array([[1.0, np.nan, -1.0]], dtype)
    assert np.isnan(activation(z)[0, 1])


@pytest.mark.parametrize("activation", [*ACTIVATIONS, softmax], **ids)
def test_z_is_not_changed(activation, rng):
    z = rng.normal(size=(7, 3))
    before = z.copy()
    activation(z)
    activation.slope(z)
    activation.backward(z, np.ones_like(z))
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize("activation", ACTIVATIONS, **ids)
def test_order_of_memory_and_shape_do_not_matter(activation, rng):
    z = rng.normal(size=(6, 4))
    np.testing.assert_array_equal(activation(np.asfortranarray(z)), activation(z))
    np.testing.assert_array_equal(activation(z[::2, ::-1]), activation(z)[::2, ::-1])
    np.testing.assert_array_equal(activation(z.ravel()), activation(z).ravel())


logits = hnp.arrays(np.float64, (3, 4), elements=st.floats(-50, 50))


@given(logits, st.floats(-1000, 1000))
def test_adding_a_constant_to_logits_leaves_softmax(z, constant):
    np.testing.assert_allclose(softmax(z + constant), softmax(z), rtol=1e-10, atol=1e-300)


@given(logits, hnp.arrays(np.float64, (3, 4), elements=st.floats(-50, 50)))
def test_softmax_backward_is_the_product_with_the_jacobian(z, error):
    by_jacobian = np.einsum("nk,nkj->nj", error, softmax.slope(z))
    np.testing.assert_allclose(softmax.backward(z, error), by_jacobian, atol=1e-12)


def test_softmax_jacobian_is_diag_a_minus_a_a_transposed(rng):
    z = rng.normal(size=(2, 3))
    a = scipy.special.softmax(z, axis=1)
    for i in range(2):
        np.testing.assert_allclose(
            softmax.slope(z)[i], np.diag(a[i]) - np.outer(a[i], a[i]), atol=1e-16
        )


# One for each neuron (S2's exercise E3)


def test_each_neuron_has_its_own_function_and_slope(rng):
    mixed, z = resolve(list(PER_NEURON)), rng.normal(size=(7, len(PER_NEURON)))
    for j, name in enumerate(PER_NEURON):
        f = activations.ACTIVATIONS[name]
        np.testing.assert_array_equal(mixed(z)[:, j], f(z[:, j]))
        np.testing.assert_array_equal(mixed.slope(z)[:, j], f.slope(z[:, j]))
    assert mixed.name == "[sigmoid, tanh, relu, gelu, identity]"
    assert mixed.kinks == (0.0,)
    assert not mixed.smooth


def test_equal_activations_in_a_list_are_the_activation_itself():
    assert resolve(["tanh", "tanh"]) is activations.ACTIVATIONS["tanh"]


def test_list_of_another_length_than_the_layer_is_refused():
    with pytest.raises(ValueError, match="a layer of 3 neurons needs 3 activations, got 2"):
        Layer(3, ["tanh", "relu"])


def test_softmax_for_single_neurons_is_refused():
    with pytest.raises(ValueError, match="activation softmax is for a whole layer, not for single"):
        resolve(["softmax", "tanh"])


def test_unknown_activation_is_refused_with_the_nearest_name():
    with pytest.raises(
        ValueError, match=r"activation must be one of .*got 'sigmod'; did you mean 'sigm"
    ):
        resolve("sigmod")
    with pytest.raises(TypeError, match=r"activation must be a name, an Activation, or a list .*got 3"):
        resolve(3)


# A user's own


def test_users_activation_is_taken_as_it_is():
    square = Activation("square", lambda z: z**2, lambda z: 2 * z)
    z = np.array([2.0, 3.0], np.float32)  # (24) of S2
    np.testing.assert_array_equal(square(z), [4, 9])
    assert square(z).dtype == square.slope(z).dtype == np.float32
    assert resolve(square) is square


def test_users_activation_may_have_kinks():
    Activation("absolute", np.abs, np.sign, kinks=(0.0,))
    Activation("hard", lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) < 1) * 1.0, kinks=(-1.0, 1.0))


@pytest.mark.parametrize("activation", ACTIVATIONS, **ids)
@pytest.mark.parametrize(
    "mutant",
    [lambda d: lambda z: 1.001 * d(z), lambda d: lambda z: -d(z), lambda d: lambda z: d(d(z))],
    ids=["times 1.001", "negative", "of a in place of z"],
)
def test_users_wrong_derivative_is_refused(activation, mutant):
    with np.errstate(all="ignore"):
        wrong = mutant(activation.derivative)
        z = np.linspace(-6, 6, 99)
        if np.allclose(wrong(z), activation.derivative(z)):
            pytest.skip("the same function: f'(f'(z)) = f'(z)")
        with pytest.raises(ValueError, match=r"must agree with finite differences.*at z = "):
            Activation("mine", activation.function, wrong)


def test_refusal_names_the_largest_mismatch_and_where_it_is():
    def slope(z):
        return np.where(np.abs(z - 3) < 0.2, 2 * z + 0.5, 2 * z)

    with pytest.raises(
        ValueError, match=r"at z = 2\.803 it gives 6\.1.* differences 5\.6.*largest mismatch, 0\.082"
    ) as info:
        Activation("square", lambda z: z**2, slope)
    assert "activation 'square'" in str(info.value)


@pytest.mark.parametrize(
    ("function", "derivative", "message"),
    [
        (lambda z: z.sum(), lambda z: z, "the function of activation 'mine' must return an array"),
        (lambda z: z, lambda z: 1.0, "the derivative of activation 'mine' must return an array"),
        (lambda z: z / (1 + np.arange(z.size)), lambda z: z, "must work element by element"),
        (np.exp, lambda z: np.full_like(z, np.nan), "largest mismatch, inf"),
    ],
)
def test_users_function_of_another_kind_is_refused(function, derivative, message):
    with pytest.raises(ValueError, match=message):
        Activation("mine", function, derivative)


def test_outputs_are_probabilities_where_all_are_between_0_and_1_and_can_be_targets(rng):
    z = rng.normal(scale=5, size=(50, 4))
    for activation in [*ACTIVATIONS, softmax]:
        a = activation(z)
        assert activation.probabilities == bool(((a > 0) & (a < 1)).all()), activation
    np.testing.assert_allclose(softmax(z).sum(axis=1), 1.0, rtol=1e-14)
