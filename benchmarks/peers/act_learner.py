"""LeRobot's ACT (huggingface/lerobot, `lerobot.policies.act`) as a learner: its policy, normalisation and optimiser.

    python act_learner.py    # a Python that has LeRobot

Numbers sensed go in as its robot's and its environment's state, since it takes neither alone. Known to run with
LeRobot 0.4.4.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from worker import serve

# What of its defaults another size changes. 40 million weights, 8 samples a batch and chunks of 100 actions, all of
# them executed blindly, are made for days on a GPU. `act-small` looks at every step: after demonstrations with noise on
# what was executed, ten steps at a time lead nowhere (docs/log.md).
SIZES: dict[str, dict[str, Any]] = {
    "act": {"batch": 8, "config": {}},
    "act-small": {
        "batch": 64,
        "config": {
            "dim_model": 256, "dim_feedforward": 1024, "chunk_size": 10, "n_action_steps": 1,
            "optimizer_lr": 3e-4, "optimizer_lr_backbone": 3e-4,
        },
    },
}  # fmt: skip
TORCHVISION = (
    "nms", "qnms", "roi_align", "_roi_align_backward", "roi_pool", "_roi_pool_backward", "ps_roi_align",
    "_ps_roi_align_backward", "ps_roi_pool", "_ps_roi_pool_backward", "deform_conv2d", "_deform_conv2d_backward",
)  # fmt: skip
SEEN = ("observation.state", "observation.environment_state")


class ActLearner:
    """One policy at a time."""

    def __init__(self) -> None:
        _let_torchvision_in()
        import lerobot
        from lerobot.configs.types import FeatureType, PolicyFeature
        from lerobot.policies.act.configuration_act import ACTConfig
        from lerobot.policies.act.modeling_act import ACTPolicy
        from lerobot.policies.act.processor_act import make_act_pre_post_processors

        self.kinds = FeatureType, PolicyFeature, ACTConfig, ACTPolicy, make_act_pre_post_processors
        self.version = lerobot.__version__
        torch.set_num_threads(1)

    def facts(self) -> dict[str, Any]:
        """What is there."""
        return {"torch": torch.__version__, "lerobot": self.version}

    def fit(self, order: dict[str, Any]) -> int:
        """Learn until the time is up.

        Args:
            order: `file`, an NPZ of observations float32 [n, F], actions float32 [n, A] and starts int64
                [episodes + 1], the first step of each episode and the end of the last; `size`, `seconds`, `seed`.

        Returns:
            How many updates it took.
        """
        feature_type, feature, config_of, policy_of, processors = self.kinds
        began = time.perf_counter()
        told, size = np.load(order["file"]), SIZES[order["size"]]
        seen, done, starts = (torch.from_numpy(told[name]) for name in ("observations", "actions", "starts"))
        torch.manual_seed(order["seed"])
        config = config_of(
            input_features={
                name: feature(kind, (seen.shape[1],))
                for name, kind in zip(SEEN, (feature_type.STATE, feature_type.ENV), strict=True)
            },
            output_features={"action": feature(feature_type.ACTION, (done.shape[1],))},
            device="cpu", **size["config"],
        )  # fmt: skip
        statistics = {
            name: {"mean": x.mean(0), "std": x.std(0)}
            for name, x in (*((name, seen) for name in SEEN), ("action", done))
        }
        self.before, self.after = processors(config, statistics)
        self.policy = policy_of(config)
        optimizer = torch.optim.AdamW(
            self.policy.get_optim_params(), lr=config.optimizer_lr, weight_decay=config.optimizer_weight_decay
        )
        episode = torch.bucketize(torch.arange(len(seen)), starts[1:], right=True)  # of each step
        last = starts[episode + 1] - 1
        updates = 0
        self.policy.train()
        while time.perf_counter() - began < order["seconds"]:
            start = torch.randint(len(seen), (size["batch"],))
            steps = start[:, None] + torch.arange(config.chunk_size)
            padded = steps > last[start][:, None]
            steps = torch.minimum(steps, last[start][:, None])
            batch = self.before({**{name: seen[start] for name in SEEN}, "action": done[steps]})
            loss, _ = self.policy({**batch, "action_is_pad": padded})
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.policy.parameters(), 10.0)  # its optimiser's default
            optimizer.step()
            updates += 1
        return updates

    def reset(self, _: Any = None) -> None:
        """Forget the chunk of actions that is left."""
        self.policy.reset()

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """One action for each observation; all are at the same step of their episodes."""
        batch = self.before({name: torch.tensor(observations) for name in SEEN})
        return self.after(self.policy.select_action(batch)).tolist()


def _let_torchvision_in() -> None:
    """Its builds for CUDA do not import beside a CPU's PyTorch unless its operators are declared."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in TORCHVISION:
            library.define(f"{name}(Tensor x) -> Tensor")
        globals()["_library"] = library  # while it lives, they are declared


if __name__ == "__main__":
    serve(ActLearner())
