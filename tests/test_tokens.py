"""Tokens: companding, bins, texts, specs. Property tests."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from opengato.agent.codec import Codec
from opengato.agent.embedding import bin_features, plain_features
from opengato.agent.spec import Spec
from opengato.agent.text import END, Vocabulary
from opengato.agent.values import BINS, Scale, compand, expand, from_bins, to_bins
from opengato.errors import ObservationError, SpaceError

from . import spaces_zoo as zoo

VOCABULARY = Vocabulary.train(["a red cube", "the blue ball", "hello there"] * 5, 300)
rows = npst.arrays(np.float32, 7, elements=st.floats(-1e6, 1e6, width=32))


def test_companding_has_the_papers_values() -> None:
    found = compand(np.array([0.01, 0.1, 1.0, 10.0, 100.0, 256.0, -1.0]))
    np.testing.assert_allclose(found, [0.068, 0.236, 0.455, 0.681, 0.907, 1.0, -0.455], atol=6e-4)


@given(rows)
def test_expand_inverts_compand(x: np.ndarray) -> None:
    np.testing.assert_allclose(expand(compand(x.astype(np.float64))), x, rtol=1e-6, atol=1e-9)


@given(rows)
def test_bins_are_legal_ordered_and_stable(x: np.ndarray) -> None:
    bins = to_bins(x)
    assert bins.min() >= 0
    assert bins.max() < BINS
    assert np.all(np.diff(bins[np.argsort(x)]) >= 0)
    np.testing.assert_array_equal(to_bins(from_bins(bins)), bins)  # a bin's centre falls into the bin


def test_the_value_one_falls_into_the_last_bin() -> None:
    assert to_bins(np.array([1.0, -1.0])).tolist() == [1023, 0]


def test_features_of_a_bin_tell_its_place_and_the_value_it_stands_for() -> None:
    place, value = bin_features(32).numpy(), plain_features(32).numpy()
    assert place.shape == value.shape == (BINS, 32)
    stands_for = expand(from_bins(np.arange(BINS)))
    np.testing.assert_allclose(place[:, 0], from_bins(np.arange(BINS)), atol=1e-6)
    np.testing.assert_allclose(value[:, 0], np.clip(stands_for, -4, 4), rtol=1e-4, atol=1e-6)
    # Companding spreads what lies near the mean; there, equal steps of the value are equal steps of its features.
    near = np.abs(stands_for) < 0.1
    steps = np.linalg.norm(np.diff(value[near], axis=0), axis=1) / np.diff(stands_for[near])
    assert steps.max() < 1.1 * steps.min()


@given(npst.arrays(np.float64, 2, elements=st.floats(-1, 1)))
def test_bounded_actions_lose_less_than_half_a_bin(x: np.ndarray) -> None:
    low, high = np.array([-1.0, 0.0]), np.array([5.0, 2.0])
    action = low + (x + 1) / 2 * (high - low)
    spec = Spec(spaces.Discrete(2), spaces.Box(low, high, dtype=np.float64))
    scale = Scale(spec.action, action=True)
    back = scale.numbers(scale.tokens(action.astype(np.float32)))
    assert np.all(np.abs(back - action) <= (high - low) / BINS / 2 + 1e-5)


@given(st.text(max_size=60))
def test_any_text_round_trips(text: str) -> None:
    ids = VOCABULARY.encode(text)
    assert VOCABULARY.end_id not in ids
    assert VOCABULARY.decode(ids) == text
    assert VOCABULARY.encode_many([text, text]) == [ids, ids]


def test_the_end_tokens_spelling_is_only_text() -> None:
    text = f"a {END} b {END}{END}"
    assert VOCABULARY.decode(VOCABULARY.encode(text)) == text


@given(st.integers(0, 10_000))
def test_actions_of_nested_spaces_round_trip(seed: int) -> None:
    zoo.seed(seed)
    codec = Codec(Spec(zoo.OBSERVATION, zoo.ACTION), VOCABULARY)
    action = zoo.ACTION.sample()
    steps = codec.episode([zoo.OBSERVATION.sample()], [action])
    back = codec.action(codec.action_scale.tokens(steps.actions)[0])
    assert zoo.ACTION.contains(back)
    np.testing.assert_array_equal(back["buttons"], action["buttons"])
    assert back["gear"] == action["gear"]
    np.testing.assert_allclose(back["move"], action["move"], atol=6 / BINS)


def test_features_are_sorted_by_path_and_flattened_row_major() -> None:
    spec = Spec(zoo.OBSERVATION, zoo.ACTION)
    assert [f.path for f in spec.values] == ["body.count", "body.joints", "rest.0", "rest.2"]
    assert [f.path for f in spec.action] == ["buttons", "gear", "move"]
    assert (spec.num_values, spec.num_actions) == (2 + 2 + 1 + 3, 2 + 1 + 2)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.Dict({"a": spaces.Sequence(spaces.Discrete(2))}), "'a' is a Sequence"),
        (spaces.Dict({"a": spaces.Tuple((spaces.Graph(spaces.Discrete(2), None),))}), "'a.0' is a Graph"),
        (spaces.Discrete(5000), "5000 classes"),
        (spaces.Dict({}), "empty"),
        (spaces.Dict({"a": spaces.Dict({"b.c": spaces.Discrete(2)})}), "'a' has the key 'b.c'.*'b_c'"),
    ],
)
def test_what_has_no_tokens_is_refused_by_path(space: spaces.Space, words: str) -> None:
    with pytest.raises(SpaceError, match=words):
        Spec(space, spaces.Discrete(2))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_by_name(bad: float) -> None:
    codec = Codec(Spec(spaces.Dict({"arm": spaces.Box(-1, 1, (3,))}), spaces.Discrete(2)), VOCABULARY)
    with pytest.raises(ObservationError, match="'arm'"):
        codec.observations([{"arm": np.array([0, bad, 0], np.float32)}])


@pytest.mark.parametrize(
    "observation", [{"arm": np.zeros(4, np.float32)}, {"leg": np.zeros(3, np.float32)}, {}, np.zeros(3)]
)
def test_observations_that_do_not_fit_are_refused_by_name(observation: object) -> None:
    codec = Codec(Spec(spaces.Dict({"arm": spaces.Box(-1, 1, (3,))}), spaces.Discrete(2)), VOCABULARY)
    with pytest.raises(ObservationError, match="'arm'"):
        codec.observations([observation])
