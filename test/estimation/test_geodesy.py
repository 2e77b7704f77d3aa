"""East, north, up against published values and the ellipsoid's radii of curvature."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm_mpc_ros.estimation.geodesy import Datum

SEMI_MAJOR, SEMI_MINOR = 6378137.0, 6356752.314245
ECCENTRICITY_SQUARED = 0.00669437999014

latitudes, longitudes = st.floats(-89, 89), st.floats(-180, 180)


def along(start, end, pieces=5000):
    """Return the length of a way from start to end (latitude, longitude) in many pieces, m."""
    places = [Datum(*p, 0.0) for p in np.linspace(start, end, pieces + 1)]
    return sum(float(np.linalg.norm(a.enu(b))) for a, b in itertools.pairwise(places))


@pytest.mark.parametrize(
    ("end", "length"),
    [((1.0, 0.0), 110574.3), ((0.0, 1.0), 111319.5), ((90.0, 0.0), 10001965.7)],
)
def test_a_degree_and_a_quarter_of_the_earth_are_as_long_as_published(end, length):
    assert along((0.0, 0.0), end) == pytest.approx(length, abs=0.1)


@pytest.mark.parametrize(
    ("place", "xyz"),
    [
        ((0.0, 0.0, 0.0), (SEMI_MAJOR, 0.0, 0.0)),
        ((0.0, 90.0, 10.0), (0.0, SEMI_MAJOR + 10.0, 0.0)),
        ((90.0, 0.0, 0.0), (0.0, 0.0, SEMI_MINOR)),
        ((-90.0, 50.0, 5.0), (0.0, 0.0, -SEMI_MINOR - 5.0)),
        ((42.0, -82.0, 200.0), (660675.2518, -4700948.6832, 4245737.6622)),
    ],
)
def test_places_turn_with_the_earth_where_they_are_known_to(place, xyz):
    np.testing.assert_allclose(Datum(*place).ecef(), xyz, atol=1e-3)


def test_a_target_of_known_bearing_elevation_and_range_is_found():
    found = Datum(42.0, -82.0, 200.0).enu(Datum(42.002582, -81.997752, 1139.7))
    bearing, elevation, distance = np.radians(33.0), np.radians(70.0), 1000.0
    level = distance * np.cos(elevation)
    expected = [level * np.sin(bearing), level * np.cos(bearing), distance * np.sin(elevation)]
    np.testing.assert_allclose(found, expected, atol=0.05)


@given(latitude=latitudes, longitude=longitudes, altitude=st.floats(-400, 9000))
def test_small_distances_follow_the_radii_of_curvature(latitude, longitude, altitude):
    W = np.sqrt(1.0 - ECCENTRICITY_SQUARED * np.sin(np.radians(latitude)) ** 2)
    meridian = SEMI_MAJOR * (1.0 - ECCENTRICITY_SQUARED) / W**3 + altitude
    parallel = (SEMI_MAJOR / W + altitude) * np.cos(np.radians(latitude))
    step = 1e-5
    here = Datum(latitude, longitude, altitude)
    found = here.enu(Datum(latitude + step, longitude + 2 * step, altitude + 3.0))
    expected = [2 * parallel * np.radians(step), meridian * np.radians(step), 3.0]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@given(first=st.tuples(latitudes, longitudes), second=st.tuples(latitudes, longitudes))
def test_there_and_back_is_equally_far(first, second):
    a, b = Datum(*first, 10.0), Datum(*second, 500.0)
    np.testing.assert_allclose(np.linalg.norm(a.enu(b)), np.linalg.norm(b.enu(a)), atol=1e-6)


@given(
    latitude=st.floats(-80, 80),
    longitude=longitudes,
    step=st.tuples(st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3)),
)
def test_nearby_the_way_back_is_the_opposite(latitude, longitude, step):
    a = Datum(latitude, longitude, 0.0)
    b = Datum(latitude + step[0], longitude + step[1], 5.0)
    # Over 160 m their verticals and meridians turn by a few hundred-thousandths.
    np.testing.assert_allclose(b.enu(a), -a.enu(b), atol=0.03)


def test_a_place_is_its_own_origin_and_longitudes_go_round():
    assert not Datum(49.9, 8.9, 100.0).enu(Datum(49.9, 8.9, 100.0)).any()
    np.testing.assert_allclose(
        Datum(10.0, 359.9999, 0.0).enu(Datum(10.0, -0.0001, 0.0)), 0.0, atol=1e-8
    )


@pytest.mark.parametrize(
    ("place", "named"),
    [
        ((90.1, 0.0, 0.0), "no latitude and longitude"),
        ((0.0, 361.0, 0.0), "no latitude and longitude"),
        ((np.nan, 0.0, 0.0), "no latitude and longitude"),
        ((0.0, np.inf, 0.0), "no latitude and longitude"),
        ((0.0, 0.0, np.nan), "altitude nan is not finite"),
    ],
)
def test_an_impossible_place_is_named(place, named):
    with pytest.raises(ValueError, match=named):
        Datum(*place)
