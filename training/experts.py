"""Training small expert policies by reinforcement learning, for any task with vector observations and Box actions.

The learner is SAC (Haarnoja et al. 2018) of the library `sbx` (extra `experts`), on the task as it is registered.
Only the deterministic actor is kept: a tanh MLP that numpy runs (`opengato.envs.experts.policy.MlpPolicy`). What its
observations are normalised by disappears into its first layer.
"""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from opengato.envs.experts.policy import MlpPolicy, flatten
from opengato.errors import OpengatoError, SpaceError
from opengato.tasks import registry

# The best policy is chosen on these seeds and scored on those, so that choosing does not flatter the score.
CHOICE_SEED, SCORE_SEED = 50_000, 60_000
# Standard deviations of the noise on executed actions that a card reports: what noisy collection does to the expert.
NOISES = (0.1, 0.2)
# Decisions between blocks of updates: a block is one compiled loop.
ROUND = 50


@dataclass(frozen=True)
class Config:
    """One training run.

    Args:
        task: id in the registry.
        out: folder for the policy, its card, the log and the checkpoint.
        steps: decisions to train for, counted over resumed runs.
        hold: environment steps that a decision is held *while training*; the policy then acts at every step.
        updates: gradient updates a decision.
        start_steps: random decisions before the first update.
        batch: transitions an update.
        actor_delay: critic updates per update of the actor.
        width: units of each of the two hidden layers of actor and critics.
        learning_rate: of actor, critics and temperature.
        gamma: discount a decision.
        normalise: observations by their running mean and deviation.
        effort: weight of the penalty on the mean squared action, a step; keeps the actor off the bounds.
        change: weight of the penalty on the mean squared change of the action, a decision; makes the actor smooth.
        evaluate_every: decisions between evaluations; the best policy so far is what `out` holds.
        evaluate_episodes: episodes of each.
        score_episodes: episodes of the score on the card, on seeds of their own.
        stop_return: end early once an evaluation's mean return reaches this.
        seed: of the learner and the training episodes.
        resume: continue from the checkpoint in `out`; with `steps` already reached, only score again.
        warm: folder of another run on the same spaces (another `hold`, another task of the body): this run starts
            from its networks, and they, not random actions, fill its replay buffer for `start_steps`.
    """

    task: str
    out: Path
    steps: int = 100_000
    hold: int = 1
    updates: float = 1.0
    start_steps: int = 2_000
    batch: int = 256
    actor_delay: int = 1
    width: int = 256
    learning_rate: float = 7e-4
    gamma: float = 0.99
    normalise: bool = True
    effort: float = 0.05
    change: float = 0.0
    evaluate_every: int = 5_000
    evaluate_episodes: int = 5
    score_episodes: int = 20
    stop_return: float = float("inf")
    seed: int = 0
    resume: bool = False
    warm: Path | None = None


class Decisions(gymnasium.Wrapper[np.ndarray, np.ndarray, Any, Any]):
    """The task as the learner sees it: flat float32 [D] observations, actions in [-1, 1], held and charged."""

    def __init__(self, env: gymnasium.Env[Any, Any], config: Config) -> None:
        super().__init__(env)
        assert isinstance(env.action_space, spaces.Box)
        size = flatten(env.reset(seed=0)[0]).shape[0]
        self.config = config
        self.last = np.zeros(env.action_space.shape, np.float32)
        self.low, self.high = env.action_space.low, env.action_space.high
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, env.action_space.shape, np.float32)

    def reset(self, **kwargs: Any) -> tuple[np.ndarray, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        self.last = np.zeros_like(self.last)
        return flatten(observation), info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        scaled = self.low + (action + 1.0) * 0.5 * (self.high - self.low)
        cost = self.config.effort * float(np.mean(np.square(action)))
        total = -self.config.change * float(np.mean(np.square(action - self.last)))
        self.last = np.array(action, np.float32)
        for _ in range(self.config.hold):
            observation, reward, terminated, truncated, info = self.env.step(scaled)
            total += float(reward) - cost
            if terminated or truncated:
                break
        return flatten(observation), total, terminated, truncated, info


def check_spaces(env: gymnasium.Env[Any, Any], task: str) -> None:
    """Refuse a task that this trainer can't train.

    Raises:
        SpaceError: observations that are no float vectors, or actions that are no bounded flat Box.
    """
    space, actions = env.observation_space, env.action_space
    leaves = list(space.spaces.values()) if isinstance(space, spaces.Dict) else [space]
    for leaf in leaves:
        if not (isinstance(leaf, spaces.Box) and np.issubdtype(leaf.dtype, np.floating)):
            raise SpaceError(f"task {task!r}: an expert reads float vectors only, this one has {leaf}")
    if not (isinstance(actions, spaces.Box) and len(actions.shape) == 1 and actions.is_bounded()):
        raise SpaceError(f"task {task!r}: an expert needs bounded Box actions of shape (A,), this one has {actions}")


def make_env(config: Config) -> Decisions:
    """The registered task as the learner sees it."""
    env = registry.get(config.task).make()
    check_spaces(env, config.task)
    return Decisions(env, config)


def play(env: gymnasium.Env[Any, Any], policy: MlpPolicy, seeds: range, noise: float = 0.0) -> tuple[np.ndarray, float]:
    """(returns float64 [len(seeds)], mean |a_t - a_(t-1)| of what the policy wants) of the task itself, not held.

    Args:
        env: the registered task.
        policy: acts at every step.
        seeds: one episode each.
        noise: standard deviation of Gaussian noise on executed actions, as a share of half the action's range.
    """
    assert isinstance(env.action_space, spaces.Box)
    low, high = env.action_space.low, env.action_space.high
    returns, changes = [], []
    for seed in seeds:
        draws = np.random.default_rng(seed)
        observation, _ = env.reset(seed=seed)
        total, ended, last = 0.0, False, None
        while not ended:
            action = policy(observation)
            if last is not None:
                changes.append(float(np.abs(action - last).mean()))
            last = action
            executed = action + noise * 0.5 * (high - low) * draws.standard_normal(action.shape) if noise else action
            observation, reward, terminated, truncated, _ = env.step(np.clip(executed, low, high).astype(np.float32))
            total += float(reward)
            ended = terminated or truncated
        returns.append(total)
    return np.asarray(returns), float(np.mean(changes))


def score(env: gymnasium.Env[Any, Any], policy: MlpPolicy, episodes: int) -> dict[str, Any]:
    """Mean return with its 95 % interval (bootstrap percentiles), smoothness, and returns under noise."""
    seeds = range(SCORE_SEED, SCORE_SEED + episodes)
    returns, change = play(env, policy, seeds)
    drawn = np.random.default_rng(0).choice(returns, (5_000, len(returns))).mean(axis=1)
    noisy = {str(noise): float(play(env, policy, seeds, noise)[0].mean()) for noise in NOISES}
    return {
        "episodes": episodes,
        "first_seed": SCORE_SEED,
        "mean_return": float(returns.mean()),
        "interval_95": [float(edge) for edge in np.percentile(drawn, [2.5, 97.5])],
        "worst_return": float(returns.min()),
        "mean_action_change": change,
        "mean_return_under_action_noise": noisy,
    }


def actor_policy(model: Any, env: Decisions, facts: dict[str, Any]) -> MlpPolicy:
    """The deterministic part of a SAC model of `sbx`: two hidden layers and the mean, without the spread.

    (x - mean) / deviation @ weight + bias is itself a layer on x.
    """
    layers = [model.policy.actor_state.params["params"][name] for name in ("Dense_0", "Dense_1", "Dense_2")]
    weights = [np.asarray(layer["kernel"], np.float64) for layer in layers]
    biases = [np.asarray(layer["bias"], np.float64) for layer in layers]
    scales = model.get_vec_normalize_env()
    if scales.norm_obs:
        weights[0] = weights[0] / np.sqrt(scales.obs_rms.var + scales.epsilon)[:, None]
        biases[0] = biases[0] - scales.obs_rms.mean @ weights[0]
    return MlpPolicy(weights, biases, env.low, env.high, facts)


def vector_of_one(env: Decisions, config: Config, saved: Path | None = None) -> Any:
    """`env` as `sbx` takes it, observations normalised where `config` says so; by statistics from `saved`, if any."""
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    alone = DummyVecEnv([lambda: Monitor(env)])
    if saved is not None:
        return VecNormalize.load(str(saved), alone)
    # Without bounds on what is normalised: a layer of the shipped policy could not have them.
    return VecNormalize(alone, norm_obs=config.normalise, norm_reward=False, clip_obs=float("inf"))


def build_model(config: Config, env: Decisions) -> Any:
    """SAC of `sbx`, new or from the checkpoint in `config.out` together with its replay buffer.

    The critics carry layer normalisation, which keeps many updates a decision stable.

    Raises:
        OpengatoError: the extra is missing, or there is nothing to resume.
    """
    try:
        import sbx
    except ImportError as error:
        raise OpengatoError("training an expert needs sbx-rl. Next: pip install 'opengato[experts]'") from error
    updates = max(1, round(ROUND * config.updates))
    # What a resumed run may change.
    settings: dict[str, Any] = {
        "learning_rate": config.learning_rate,
        "batch_size": config.batch,
        "policy_delay": config.actor_delay,
        "gradient_steps": updates,
        "gamma": config.gamma,
    }
    if config.resume:
        path = config.out / "checkpoint.zip"
        if not path.is_file():
            raise OpengatoError(f"no checkpoint in {str(config.out)!r}. Next: train without resume=true")
        model = sbx.SAC.load(path, env=vector_of_one(env, config, config.out / "scales.pkl"), **settings)
        model.load_replay_buffer(config.out / "replay.pkl")
        return model
    if config.warm is not None:
        checkpoint = str(config.warm / "checkpoint.zip")
        scaled = vector_of_one(env, config, config.warm / "scales.pkl")
        model = sbx.SAC.load(checkpoint, env=scaled, **{**settings, "gradient_steps": 0, "learning_starts": 0})
        model.learn(config.start_steps)
        model.gradient_steps = updates
        return model
    return sbx.SAC(
        "MlpPolicy",
        vector_of_one(env, config),
        buffer_size=max(config.steps, 10_000),
        learning_starts=config.start_steps,
        train_freq=ROUND,
        ent_coef="auto_0.1",
        policy_kwargs={"net_arch": [config.width, config.width], "layer_norm": True},
        seed=config.seed,
        **settings,
    )


def train(config: Config) -> dict[str, Any]:
    """Train, print a line per evaluation, and leave `<name>.safetensors` and its card `<name>.json` in `out`.

    Returns:
        The card.

    Raises:
        OpengatoError: the task's spaces don't fit, the extra is missing, or there is nothing to resume.
    """
    env, judge = make_env(config), make_env(config).env
    path = config.out / config.task.split("/", 1)[1]
    card_path = path.with_suffix(".json")
    config.out.mkdir(parents=True, exist_ok=True)
    model = build_model(config, env)
    card = json.loads(card_path.read_text()) if config.resume and card_path.is_file() else describe(config)
    hours, began = card["hours"], time.perf_counter()
    seeds = range(CHOICE_SEED, CHOICE_SEED + config.evaluate_episodes)
    while model.num_timesteps < config.steps and card["chosen"]["mean_return"] < config.stop_return:
        model.learn(config.evaluate_every, reset_num_timesteps=model.num_timesteps == 0)
        policy = actor_policy(model, env, {key: card[key] for key in ("task", "command", "algorithm")})
        returns, change = play(judge, policy, seeds)
        card["hours"] = hours + (time.perf_counter() - began) / 3600
        line = {"steps": model.num_timesteps, "mean_return": float(returns.mean()), "mean_action_change": change}
        facts = "  ".join(f"{key} {value:.5g}" for key, value in {**line, "hours": card["hours"]}.items())
        print(f"{config.task}  {facts}", flush=True)
        with (config.out / "log.jsonl").open("a") as log:
            log.write(json.dumps({**line, "hours": card["hours"]}) + "\n")
        if line["mean_return"] > card["chosen"]["mean_return"]:
            card["chosen"] = line
            policy.save(path.with_suffix(".safetensors"))
        card_path.write_text(json.dumps(card, indent=2) + "\n")
        model.save(config.out / "checkpoint.zip")
        model.get_vec_normalize_env().save(str(config.out / "scales.pkl"))
        model.save_replay_buffer(config.out / "replay.pkl")
    card["score"] = score(judge, MlpPolicy.load(path.with_suffix(".safetensors")), config.score_episodes)
    card_path.write_text(json.dumps(card, indent=2) + "\n")
    env.close()
    judge.close()
    return card


def describe(config: Config) -> dict[str, Any]:
    """What a card says before training begins."""
    made = {key: value for key, value in asdict(config).items() if key not in ("out", "resume", "warm")}
    made = {key: value for key, value in made.items() if value != float("inf")}
    if config.warm is not None:
        made["warm"] = config.warm.name  # the folder's name, for its path means nothing on another machine
    return {
        "task": config.task,
        "command": f"opengato expert {shlex.join(f'{key}={value}' for key, value in made.items())}",
        "algorithm": "SAC (sbx-rl)",
        "seed": config.seed,
        "hours": 0.0,
        "chosen": {"steps": 0, "mean_return": -1e9, "mean_action_change": 0.0},
    }
