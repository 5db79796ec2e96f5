"""Acting: cached equals full, past the window's end too; batches equal singles; agents survive saving and refuse
damage.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces

from opengato.agent import Agent, Episode, Prompt, Spec
from opengato.agent.config import PRESETS, ModelConfig
from opengato.agent.layout import Layout
from opengato.agent.model import Batch
from opengato.agent.pieces import Pieces
from opengato.agent.policy import Body, Policy
from opengato.agent.prompt import place, prompt_positions, tail
from opengato.agent.stream import Lane, Stream
from opengato.errors import ObservationError, OpengatoError

from . import spaces_zoo as zoo

SMALL = ModelConfig(blocks=2, heads=2, width=32, feedforward=64, head_dim=16, window=64, vocabulary=2048, slots=64,
                    patch_channels=8, patch_width=16, trunk_channels=8, picture_maps=4, picture_grid=2)  # fmt: skip
FLAT = replace(SMALL, pooled=False, own_actions=True, plain_features=0, normalize=False, target_smoothing=0.0,
               window=256, decode="mode", patch_width=32)  # fmt: skip
CONFIGS = {"pooled": SMALL, "flat": FLAT, "grouped": replace(SMALL, value_group=3, own_actions=True),
           "per-number": replace(SMALL, value_group=1)}  # fmt: skip
ACTIONS = {"numbers": zoo.ACTION, "text": zoo.SPEECH}


def episode(length: int, action_space, seed: int = 0) -> Episode:
    zoo.seed(seed)
    observations = [zoo.OBSERVATION.sample() for _ in range(length)]
    return Episode(observations, [action_space.sample() for _ in range(length)], np.zeros(length, np.float32))


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", CONFIGS)
def test_cached_acting_equals_the_full_forward_pass(name: str, action: str) -> None:
    agent = Agent.new(replace(CONFIGS[name], window=512), seed=3)
    spec = Spec(zoo.OBSERVATION, ACTIONS[action])
    prompt = Prompt("do it", episode(2, ACTIONS[action], 5))
    policy = agent.policy(spec, prompt, decode="mode")
    policy.bodies[0].codec.reply = list  # an untrained agent writes bytes that are no text, so tokens are compared
    shown = episode(3 if action == "text" else 4, ACTIONS[action], 7).observations
    acted = [policy.act(observation) for observation in shown]
    full = _full_pass(agent, spec, prompt, shown, acted)
    for cached, recomputed in zip(acted, full, strict=True):
        _equal(cached, recomputed)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_horizon_equals_the_mask_of_training(name: str) -> None:
    agent = Agent.new(replace(CONFIGS[name], window=512), seed=3)
    spec = Spec(zoo.OBSERVATION, zoo.ACTION)
    prompt = Prompt("do it", episode(2, zoo.ACTION, 5))
    shown = episode(5, zoo.ACTION, 7).observations
    policy = agent.policy(spec, prompt, decode="mode", horizon=2)
    acted = [policy.act(observation) for observation in shown]
    for cached, recomputed in zip(acted, _full_pass(agent, spec, prompt, shown, acted, 2), strict=True):
        _equal(cached, recomputed)
    policy.reset()
    _equal(policy.act(shown[0]), acted[0])


@pytest.mark.parametrize("name", ["flat", "grouped"])
def test_an_actions_end_sees_all_of_its_horizon(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is fed with the next observation, which must not take the place of what it looks at."""
    agent = Agent.new(replace(CONFIGS[name], window=512), seed=3)
    body = zoo.OBSERVATION["body"]["joints"], spaces.Box(-1, 1, (2,), np.float32)  # no text, so that the ring is short
    for number, space in enumerate(body):
        space.seed(number)
    runs = [[[space.sample() for _ in range(length)] for space in body] for length in (2, 6)]
    prompt = Prompt("do it", Episode(*runs[0], np.zeros(2, np.float32)))
    policy, cached = agent.policy(Spec(*body), prompt, decode="mode", horizon=2), []
    feed = policy._feed
    monkeypatch.setattr(policy, "_feed", lambda *parts: cached.append(feed(*parts)) or cached[-1])
    acted = [policy.act(observation) for observation in runs[1][0]]
    assert policy.stream.ring < 512 // 2
    read_from = [each[-1] for each in cached]  # of each number that is decoded by itself, or of all
    whole = _full_pass(agent, Spec(*body), prompt, runs[1][0], acted, 2, read=_hidden)
    torch.testing.assert_close(torch.stack(read_from), whole, atol=1e-4, rtol=1e-4)


def _hidden(agent: Agent, codec, batch: Batch, hidden: torch.Tensor, steps) -> torch.Tensor:
    (target,) = batch.laid.targets
    return hidden[(target.source[:, :1] if agent.model.config.pooled else target.source).flatten()]


def _full_pass(agent: Agent, spec: Spec, prompt: Prompt, shown, acted, horizon: int = 1000, read=None):
    """Actions, or what `read` says, of one forward pass over prompt and episode."""
    codec, config, layout = agent.codec(spec), agent.model.config, Layout(spec, agent.model.config)
    pieces = Pieces(config.slots)
    before = codec.episode(prompt.episode.observations, prompt.episode.actions)
    words = agent.vocabulary.encode(prompt.instruction)
    used = place(pieces, layout, codec, 0, words, tail(layout, before, prompt_positions(config)))
    steps = codec.observations(shown) if spec.text_action else codec.episode(shown, acted)
    if spec.text_action:
        steps.replies = acted
    parts, action = layout.lengths(steps)
    size = parts.sum(1) + action
    total = used + int(size.sum())
    assert total <= config.window
    pieces.add(layout, codec, steps, used + np.cumsum(size) - size, weight=1.0)
    place_ = torch.arange(total)[None]
    zero = torch.zeros_like(place_)
    step = torch.from_numpy(np.concatenate([np.full(used, -1), np.repeat(np.arange(len(shown)), size)]))[None]
    batch = Batch(pieces.done(), place_, zero, step, zero + horizon)
    with torch.inference_mode():
        hidden = agent.model.hidden(batch)
        return (read or _read)(agent, codec, batch, hidden, steps)


def _read(agent: Agent, codec, batch: Batch, hidden: torch.Tensor, steps) -> list:
    if codec.spec.text_action:
        ids = (
            agent.model.word_logits(hidden[batch.laid.word_targets[0].source])[:, : len(agent.vocabulary)]
            .argmax(-1)
            .tolist()
        )
        counts = [len(reply) + 1 for reply in steps.replies]
        ends = np.cumsum(counts)
        return [ids[end - count : end - 1] for end, count in zip(ends, counts, strict=True)]
    (target,) = batch.laid.targets
    tokens = np.zeros(target.tokens.shape, np.float32)
    for discrete in (False, True):
        for number in np.flatnonzero(target.discrete == discrete):
            here = hidden[target.source[:, [number]]]
            classes = int(target.classes[number])
            tokens[:, number] = agent.model.action_logits(here, discrete, classes, target.slots[[number]])[:, 0].argmax(
                -1
            )
    return [codec.action(row) for row in tokens]


def _equal(a, b) -> None:  # type: ignore[no-untyped-def]
    if isinstance(a, list):
        assert a == b
        return
    for key in a:
        np.testing.assert_allclose(a[key], b[key], atol=6 / 512)  # a tie may fall into the neighbouring bin


@pytest.mark.parametrize("begin", [0, 3_000_000], ids=["young", "100 000 steps of 30 positions"])
def test_past_the_windows_end_the_ring_sees_what_a_window_of_one_block_sees(begin: int) -> None:
    """With one block, the cache past the window's end is exact, however long the episode: keys depend on their own
    position's input only, and turning them to their place loses nothing."""
    config = replace(SMALL, blocks=1, window=24)
    model = Agent.new(config, seed=1).model.eval()
    x = torch.randn(1, 400, config.width, generator=torch.Generator().manual_seed(0))
    prompt = torch.randn(5, config.width, generator=torch.Generator().manual_seed(1))
    stream = Stream(model, [Lane(prompt)])
    row = np.zeros(1, np.int64)
    stream.count[:] = begin
    ring = config.window - 5
    for start in range(0, 399, 3):
        new = x[0, start : start + 3]
        found = stream.feed(new, np.asarray([len(new)]), row, np.zeros(len(new), np.int64))
    end = start + len(new)
    window = torch.cat([prompt[None], x[:, end - ring : end]], 1)
    mask = torch.ones(1, config.window, config.window, dtype=torch.bool).tril()
    with torch.inference_mode():
        whole = model.transformer(window, torch.arange(config.window)[None], mask)
    torch.testing.assert_close(found[-1], whole[0, -1], atol=1e-4, rtol=1e-4)


def test_more_than_the_window_at_once_is_what_comes_bit_by_bit() -> None:
    """A question longer than the window, beside a short one: with one block the end sees the same window either way."""
    config = replace(SMALL, blocks=1, window=24)
    model = Agent.new(config, seed=1).model.eval()
    generator = torch.Generator().manual_seed(0)
    long, short, prompt = (torch.randn(n, config.width, generator=generator) for n in (70, 4, 5))
    rows, lengths = np.arange(2), np.asarray([len(long), len(short)])
    found = Stream(model, [Lane(prompt)] * 2).feed(torch.cat([long, short]), lengths, rows, np.zeros(74, np.int64))
    for number, x in enumerate((long, short)):
        alone = Stream(model, [Lane(prompt)])
        for each in x:
            last = alone.feed(each[None], np.ones(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))
        torch.testing.assert_close(found[lengths[: number + 1].sum() - 1], last[-1], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_more_than_a_window_is_read_as_if_alone_whoever_is_beside_it() -> None:
    """A row with a prompt has a shorter window than the ring of one beside it without any."""
    model = Agent.new(SMALL, seed=2).model.eval()
    prompt, nothing = torch.randn(9, 32), torch.zeros(0, 32)
    x, steps = torch.randn(130, 32), np.zeros(130, np.int64)
    one = np.zeros(1, np.int64)
    alone = Stream(model, [Lane(prompt)]).feed(x, np.asarray([130]), one, steps)
    beside = Stream(model, [Lane(prompt), Lane(nothing)]).feed(x, np.asarray([130]), one, steps)
    torch.testing.assert_close(beside, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_batch_acts_like_its_rows_alone(name: str) -> None:
    agent = Agent.new(CONFIGS[name], seed=3)
    spec = Spec(zoo.OBSERVATION, zoo.ACTION)
    runs = [episode(5, zoo.ACTION, seed).observations for seed in (1, 2, 3)]
    batch = agent.policy(spec, batch_size=3, decode="mode")
    together = []
    for step in range(5):
        if step == 2:
            batch.reset([1])  # one environment starts anew in the middle
        together.append(batch.act([run[step] if (row, step) != (2, 1) else None for row, run in enumerate(runs)]))
    assert together[1][2] is None
    for row, run in enumerate(runs):
        alone = agent.policy(spec, decode="mode")
        for step in range(5):
            if row == 1 and step == 2:
                alone.reset()
            if (row, step) != (2, 1):
                _equal(together[step][row], alone.act(run[step]))


@pytest.mark.parametrize("name", CONFIGS)
def test_different_bodies_act_in_one_batch_as_they_do_alone(name: str) -> None:
    """Other observations, other actions, a prompt of another length, one that writes: one forward pass for all."""
    agent = Agent.new(replace(CONFIGS[name], horizon=2), seed=3)
    tiny = spaces.Box(-1, 1, (3,), np.float32)
    prompts = [Prompt("go", episode(2, zoo.ACTION, 5)), None, Prompt("say what it is")]
    specs = [Spec(zoo.OBSERVATION, zoo.ACTION), Spec(tiny, spaces.Discrete(5)), Spec(zoo.OBSERVATION, zoo.SPEECH)]
    bodies = list(zip(specs, prompts, (2, 1, 2), strict=True))
    mixed = agent.mixed_policy(bodies, decode="mode")
    alone = [agent.policy(spec, prompt, batch_size=rows, decode="mode") for spec, prompt, rows in bodies]
    for policy in (mixed, *alone):
        for body in policy.bodies:
            body.codec.reply = list  # an untrained agent writes bytes that are no text, so tokens are compared
    zoo.seed(1)
    tiny.seed(1)
    for step in range(4):
        seen = [space.sample() for space in (zoo.OBSERVATION, zoo.OBSERVATION, tiny, zoo.OBSERVATION, zoo.OBSERVATION)]
        if step == 2:
            seen[0] = None  # one rests
        together = mixed.act(seen)
        expected = [*alone[0].act(seen[:2]), *alone[1].act(seen[2:3]), *alone[2].act(seen[3:])]
        for one, other in zip(together, expected, strict=True):
            if isinstance(other, dict | list):
                _equal(one, other)
            else:
                assert one == other


@pytest.mark.parametrize("name", CONFIGS)
def test_bodies_that_settle_later_act_as_if_alone(name: str) -> None:
    agent = Agent.new(replace(CONFIGS[name], window=512), seed=3)
    policy = Policy(agent.model.eval(), [], spare=3, decode="mode")
    shown = {1: episode(3, zoo.ACTION, 1).observations, 2: episode(3, zoo.ACTION, 2).observations}
    prompts = {1: Prompt("do it", episode(2, zoo.ACTION, 5)), 2: Prompt()}
    spec = Spec(zoo.OBSERVATION, zoo.ACTION)
    for row in (2, 1):
        policy.settle(row, Body(agent.codec(spec), prompts[row]))
    with pytest.raises(ObservationError, match="row 0 has no body"):
        policy.act([shown[1][0], None, None])
    together = [policy.act([None, shown[1][t], shown[2][t]]) for t in range(3)]
    for row in (1, 2):
        alone = agent.policy(spec, prompts[row], decode="mode")
        for t in range(3):
            _equal(together[t][row], alone.act(shown[row][t]))
    talk = Body(agent.codec(Spec(zoo.OBSERVATION, zoo.SPEECH)), Prompt("say it"))
    policy.settle(1, talk)  # another body moves in; who sat beside does not notice
    policy.settle(0, talk)
    assert len(policy.bodies) == 2
    assert policy.stream.count[1] == 0
    more = episode(1, zoo.ACTION, 4).observations[0]
    alone = agent.policy(spec, prompts[2], decode="mode")
    for each in shown[2]:
        alone.act(each)
    _equal(policy.act([None, None, more])[2], alone.act(more))


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_recalled_is_as_if_it_had_been_done(name: str, action: str) -> None:
    agent = Agent.new(replace(CONFIGS[name], window=512), seed=3)
    spec, prompt = Spec(zoo.OBSERVATION, ACTIONS[action]), Prompt("do it", episode(2, ACTIONS[action], 5))
    past = episode(3, ACTIONS[action], 7)
    policies = [agent.policy(spec, prompt, decode="mode") for _ in range(2)]
    for policy in policies:
        policy.bodies[0].codec.reply = list
    done = [policies[0].act(observation) for observation in past.observations]
    if action == "text":  # untrained, it writes bytes that are no text, so they are put back as tokens
        policies[1].bodies[0].codec.vocabulary = _Known(agent.vocabulary, done)
        done = [str(i) for i in range(len(done))]
    policies[1].recall(0, past.observations, done)
    last = episode(1, ACTIONS[action], 9).observations[0]
    _equal(policies[1].act(last), policies[0].act(last))
    policies[1].recall(0, [], [])
    policies[0].reset()
    _equal(policies[1].act(last), policies[0].act(last))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("horizon", [1, 2, 3])
def test_what_is_recalled_behind_a_horizon_is_felt_alike(name: str, horizon: int) -> None:
    """Long ago is left out, and a ring may not lose what a later position of the same feeding looks at."""
    agent, body = Agent.new(replace(CONFIGS[name], horizon=horizon), seed=3), spaces.Box(-1, 1, (5,))
    policies = [agent.policy(Spec(body, zoo.ACTION), Prompt("do it"), decode="mode") for _ in range(2)]
    body.seed(0)
    *past, last = (body.sample() for _ in range(13))
    policies[1].recall(0, past, [policies[0].act(observation) for observation in past])
    felt: list[list[torch.Tensor]] = [[], []]
    for policy, found in zip(policies, felt, strict=True):
        feed = policy.stream.feed
        policy.stream.feed = lambda *parts, feed=feed, found=found: found.append(feed(*parts)) or found[-1]
    _equal(*(policy.act(last) for policy in policies))
    for one, two in zip(*felt, strict=True):
        torch.testing.assert_close(two[-1], one[-1], atol=1e-5, rtol=1e-5)


class _Known:
    """A vocabulary that reads "0", "1", … as given token ids."""

    def __init__(self, vocabulary, ids) -> None:  # type: ignore[no-untyped-def]
        self._vocabulary, self._ids = vocabulary, ids

    def encode_many(self, texts: list[str]) -> list[list[int]]:
        if all(text.isdigit() and int(text) < len(self._ids) for text in texts):
            return [self._ids[int(text)] for text in texts]
        return self._vocabulary.encode_many(texts)

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return getattr(self._vocabulary, name)

    def __len__(self) -> int:
        return len(self._vocabulary)


def test_an_episode_far_longer_than_the_window_goes_on() -> None:
    agent = Agent.new(SMALL, seed=0)
    policy = agent.policy(Spec(zoo.OBSERVATION, zoo.ACTION))
    zoo.seed(0)
    for _ in range(60):
        assert zoo.ACTION.contains(policy.act(zoo.OBSERVATION.sample()))


def test_own_actions_take_no_position_but_a_demonstrations_are_seen() -> None:
    agent = Agent.new(SMALL, seed=3)
    spec = Spec(zoo.OBSERVATION, zoo.ACTION)
    layout = Layout(spec, SMALL)
    assert (layout.action_positions, layout.demonstration.action_positions) == (0, 1)
    assert Layout(spec, replace(SMALL, own_actions=True)).action_positions == 1
    shown, other = episode(2, zoo.ACTION, 5), episode(2, zoo.ACTION, 6)
    prompts = [Prompt(None, shown), Prompt(None, replace(shown, actions=other.actions))]
    one, two = (agent.policy(spec, prompt).stream.prompt_keys[-1] for prompt in prompts)
    assert not torch.equal(one, two)


def test_actions_decoded_one_by_one_must_be_seen() -> None:
    with pytest.raises(OpengatoError, match="own_actions=false needs pooled=true"):
        replace(FLAT, own_actions=False)


def test_shapes_that_cannot_be_are_refused() -> None:
    with pytest.raises(OpengatoError, match="patch_width=16 needs pooled=true"):
        replace(FLAT, patch_width=16)
    with pytest.raises(OpengatoError, match="head_dim=15 is odd"):
        replace(SMALL, head_dim=15)
    with pytest.raises(OpengatoError, match="plain_features=1; legal: even"):
        replace(SMALL, plain_features=1)
    with pytest.raises(OpengatoError, match="target_smoothing=500; legal: 0 to 150"):
        replace(SMALL, target_smoothing=500)


@pytest.mark.parametrize("name", ["pooled", "flat"])
def test_agents_survive_saving(name: str, tmp_path: Path) -> None:
    agent = Agent.new(CONFIGS[name], seed=2)
    spec = Spec(zoo.OBSERVATION, zoo.ACTION)
    agent.statistics[spec.signature] = (np.full(8, 2.0, np.float32), np.full(8, 3.0, np.float32))
    again = Agent.load(agent.save(tmp_path / "agent"))
    shown = episode(3, zoo.ACTION).observations
    one, two = agent.policy(spec, decode="mode"), again.policy(spec, decode="mode")
    for observation in shown:
        _equal(one.act(observation), two.act(observation))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "no whole safetensors"),
        (lambda path: path.write_bytes(b"\x80\x04\x95" + b"x" * 100), "pickle"),
        (lambda path: path.unlink(), "missing"),
    ],
)
def test_damaged_weights_are_refused(damage, words: str, tmp_path: Path) -> None:
    folder = Agent.new(SMALL).save(tmp_path / "agent")
    damage(folder / "model.safetensors")
    with pytest.raises(OpengatoError, match=words):
        Agent.load(folder)


def test_presets_have_the_papers_shapes() -> None:
    shapes = {name: (c.blocks, c.heads, c.width, c.feedforward, c.head_dim) for name, c in PRESETS.items()}
    assert shapes["79m"] == (8, 24, 768, 3072, 32)
    assert shapes["364m"] == (12, 12, 1536, 6144, 128)
    assert shapes["1b"] == (24, 16, 2048, 8192, 128)
    assert all(PRESETS[name].window == 1024 and not PRESETS[name].pooled for name in ("79m", "364m", "1b"))
