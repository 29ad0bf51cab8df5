"""Deformed images: the draws, scipy.ndimage's smoothing and interpolation, and the kernel."""

import numpy as np
import pytest
from scipy import ndimage

import clearprop as cp
from clearprop.data.deformation import _noise
from clearprop.engines.deformer import Deformer

SHAPE = HEIGHT, WIDTH = 5, 9
IMAGES = np.random.default_rng(0).normal(size=(7, 45))
ALL = cp.data.deform(30, 0.3, 0.2, 9, 2, shape=SHAPE)
WHERE = {"seed": 2**64 - 3, "epoch": 2**33 + 1, "first": 2**31}


def test_a_displacement_is_scipys_gaussian_filter_of_the_noise():
    rows = np.arange(7)
    noise = _noise(5, 3, rows, 90).reshape(7, HEIGHT, 2, WIDTH)
    moved = ALL.displacements(5, 3, rows, SHAPE)
    for n in range(7):
        for field in range(2):
            expected = 9 * ndimage.gaussian_filter(noise[n, :, field], 2, mode="constant", truncate=4)
            np.testing.assert_allclose(moved[n, field], expected, rtol=1e-12, atol=1e-14)


def test_a_pixel_is_scipys_of_order_1_where_it_comes_from():
    made, rows = ALL(IMAGES, seed=5, epoch=3), np.arange(7)
    place, moved = ALL.places(5, 3, rows, SHAPE), ALL.displacements(5, 3, rows, SHAPE)
    i, j = np.mgrid[:HEIGHT, :WIDTH]
    outside = 0
    for n in range(7):
        y0, yi, yj, x0, xi, xj = place[n]
        at = np.array([y0 + yi * i + yj * j, x0 + xi * i + xj * j]) + moved[n]
        outside += ((at < 0) | (at > np.array([[[HEIGHT - 1]], [[WIDTH - 1]]]))).sum()
        expected = ndimage.map_coordinates(IMAGES[n].reshape(SHAPE), at, order=1, mode="nearest")
        np.testing.assert_allclose(made[n].reshape(SHAPE), expected, rtol=1e-12, atol=1e-13)
    assert outside > 20


@pytest.mark.parametrize(
    ("options", "inverse"),
    [
        ({"rotation": 40}, lambda a: a[1, 0] == pytest.approx(-a[0, 1]) and np.linalg.det(a)),
        ({"shear": 0.5}, lambda a: a[0].tolist() == [1, 0] and a[1, 1]),
        ({"scaling": 0.5}, lambda a: a[0, 1] == a[1, 0] == 0 and 1.0),
    ],
)
def test_each_way_back_is_of_its_kind_and_keeps_the_middle(options, inverse):
    places = cp.data.deform(**options, shape=SHAPE).places(1, 0, np.arange(50), SHAPE)
    for y0, yi, yj, x0, xi, xj in places:
        matrix = np.array([[yi, yj], [xi, xj]])
        assert inverse(matrix) == pytest.approx(1)
        assert matrix @ [2, 4] + [y0, x0] == pytest.approx([2, 4])
    assert len(np.unique(places, axis=0)) == 50


def test_what_is_drawn_stays_within_what_was_asked_for_and_fills_it():
    places = cp.data.deform(scaling=0.25).places(1, 0, np.arange(2000), (5, 5))
    factors = 1 / places[:, [1, 5]]
    assert (factors >= 0.75).all()
    assert (factors <= 1.25).all()
    assert factors.min() < 0.76
    assert factors.max() > 1.24
    noise = _noise(1, 0, np.arange(50), 333)
    assert abs(noise.mean()) < 0.02
    assert noise.var() == pytest.approx(1 / 3, rel=0.03)


def test_nothing_is_changed_where_everything_is_0():
    assert (cp.data.deform(shape=SHAPE)(IMAGES, seed=3) == IMAGES).all()
    assert (compiled(cp.data.deform(shape=SHAPE), IMAGES, 2) == IMAGES).all()


def test_an_image_depends_on_seed_epoch_and_place_alone():
    whole = ALL(IMAGES, seed=1, epoch=2)
    assert (whole[3:] == ALL(IMAGES[3:], seed=1, epoch=2, first=3)).all()
    for other in (
        {"seed": 2, "epoch": 2},
        {"seed": 1, "epoch": 3},
        {"seed": 1, "epoch": 2, "first": 1},
    ):
        assert (whole != ALL(IMAGES, **other)).any(axis=1).all()


def compiled(deform, images, n_threads, seed=3, epoch=0, first=0):
    dtype, shape = images.dtype, deform.image_shape(images.shape[1])
    down, across = map(deform.smoothing, shape) if deform.alpha else (np.zeros(0), np.zeros(0))
    deformer = Deformer((deform.alpha * down).astype(dtype), across.astype(dtype), shape, n_threads)
    rows, out = np.arange(len(images))[::-1].copy(), np.empty_like(images)
    places = deform.places(seed, epoch, np.arange(first, first + len(images)), shape).astype(dtype)
    deformer(images[::-1].copy(), rows, out, places, seed, epoch, first)
    return out


@pytest.mark.parametrize(("dtype", "within"), [("float64", 1e-13), ("float32", 2e-5)])
@pytest.mark.parametrize("elastic", [{}, {"alpha": 9, "sigma": 2}])
def test_the_kernel_agrees_with_numpy(dtype, within, elastic):
    deform = cp.data.deform(30, 0.3, 0.2, shape=SHAPE, **elastic)
    images = IMAGES.astype(dtype)
    made = compiled(deform, images, 2, **WHERE)
    expected = deform(images, **WHERE)
    assert made.dtype == expected.dtype == dtype
    np.testing.assert_allclose(made, expected, rtol=0, atol=within)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_any_number_of_threads_makes_the_same_bits(dtype):
    made = [compiled(ALL, IMAGES.astype(dtype), n).tobytes() for n in (1, 2, 3)]
    assert made[0] == made[1] == made[2]


def test_images_of_integers_and_of_one_pixel_are_taken():
    assert cp.data.deform(20, alpha=3)(np.ones((2, 9), np.uint8)).dtype == np.float64
    assert (cp.data.deform(20, 0.1, 1, 9, 1)(np.full((2, 1), 3.0)) == 3).all()
    assert (compiled(cp.data.deform(20, 0.1, 1, 9, 1), np.full((2, 1), 3.0), 3) == 3).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rotation": 181}, ValueError, "rotation must be from 0 to 180 degrees, got 181"),
        ({"rotation": "12"}, TypeError, "rotation must be from 0 to 180 degrees, got '12'"),
        ({"scaling": 1.0}, ValueError, "scaling must be at least 0 and below 1, got 1.0"),
        ({"scaling": True}, TypeError, "scaling must be at least 0 and below 1, got True"),
        ({"shear": -0.1}, ValueError, "shear must be a finite number of at least 0, got -0.1"),
        ({"alpha": np.nan}, (TypeError, ValueError), "alpha must be a finite number of pixels"),
        ({"alpha": 1, "sigma": 0}, ValueError, "sigma must be above 0 where alpha is, got 0"),
        ({"shape": 28}, TypeError, r"shape must be \(height, width\), got 28"),
        ({"shape": (0, 4)}, ValueError, r"shape must be \(height, width\), each at least 1"),
    ],
)
def test_what_is_no_deformation_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        cp.data.deform(**options)


def test_rows_that_are_no_images_of_the_shape_are_refused():
    with pytest.raises(ValueError, match="for images that are no squares, got 45 features"):
        cp.data.deform(3)(IMAGES)
    with pytest.raises(ValueError, match=r"as many pixels as there are features, 45, got \(5, 8\)"):
        cp.data.deform(3, shape=(5, 8))(IMAGES)
