"""Sizes and choices of a model. One dial: the preset's name."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from opengato.errors import OpengatoError, UnknownNameError

DECODES = ("mean", "mode", "sample")
MAY_BE_ZERO = ("value_group", "horizon", "plain_features", "value_features", "trunk_layers")


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the transformer and of what surrounds it.

    Args:
        blocks, heads, width: of the transformer.
        feedforward: hidden size before the gated split (GEGLU halves it).
        head_dim: size of a head's keys and values; heads × head_dim need not be the width.
        window: positions that the agent sees at once.
        vocabulary: rows of the text table; a loaded vocabulary may use fewer.
        pooled: several observation tokens share a position and all action tokens are decoded in one pass; otherwise one
            position per token, actions decoded one by one (the paper).
        own_actions: whether an agent sees what it did before. Off, its own actions take no position: it looks
            at the world rather than copy itself, and twice as many timesteps fit. A demonstration in a prompt always
            shows its actions.
        value_group: observation numbers per position when pooled; 0 puts all of a timestep into one.
        picture_positions: positions per timestep's pictures when pooled and the action is numeric.
        picture_grid: tiles to a side, each with a position, of the pictures when pooled and the action is text.
        slots: rows of the table that says which number is which; a spec takes a run of rows by its signature.
        plain_features: features of the value that a bin stands for, so that the embedding knows which values are
            near.
        value_features: features of the bin, beside or in place of those: its place, one, and waves over the places of
            all bins. Companding spreads what lies near the mean, so what is smooth in the value is sharp in the bins,
            and few demonstrations are learnt by heart. With neither, each bin has a free vector (the paper).
        normalize: centre observations on the statistics of the demonstrations before companding.
        target_smoothing: standard deviation, in bins, of the Gaussian that replaces a continuous action's one-hot
            target.
        patch_stem: side and stride of the patch encoder's first convolution.
        patch_channels: channels of the patch encoder.
        patch_width: size of a patch's vector.
        patch_pool: how a patch's feature map becomes a vector.
        trunk_channels, trunk_layers: of the convolutions that see whole pictures when pooled.
        picture_maps: how many things the pooled picture of who acts is searched for.
        horizon: how many timesteps an acting agent looks back, itself included; 0 for all in the window. Training draws
            shorter histories as well (`MixtureConfig.short_history`).
        stochastic_depth: chance to skip a sublayer in pretraining.
        decode: how a continuous action is read off its distribution over bins.
    """

    blocks: int = 4
    heads: int = 6
    width: int = 192
    feedforward: int = 768
    head_dim: int = 32
    window: int = 128
    vocabulary: int = 2048
    pooled: bool = True
    own_actions: bool = False
    value_group: int = 0
    picture_positions: int = 1
    picture_grid: int = 4
    slots: int = 2048
    plain_features: int = 32
    value_features: int = 0
    normalize: bool = True
    target_smoothing: float = 16.0
    patch_stem: int = 4
    patch_channels: int = 32
    patch_width: int = 128
    patch_pool: Literal["flatten", "mean"] = "flatten"
    trunk_channels: int = 48
    trunk_layers: int = 2
    picture_maps: int = 32
    horizon: int = 0
    stochastic_depth: float = 0.0
    decode: Literal["mean", "mode", "sample"] = "mean"

    def __post_init__(self) -> None:
        for each in fields(self):
            name, value = each.name, getattr(self, each.name)
            least = 0 if name in MAY_BE_ZERO else 1
            fine, legal = {
                "int": (type(value) is int and value >= least, f"whole numbers from {least}"),
                "float": (type(value) in (int, float), "numbers"),
                "bool": (type(value) is bool, "true, false"),
            }.get(str(each.type), (True, ""))
            if not fine:
                raise OpengatoError(f"{name}={value}; legal: {legal}.")
        for name, choices in (("decode", DECODES), ("patch_pool", ("flatten", "mean"))):
            if getattr(self, name) not in choices:
                raise OpengatoError(f"{name}={getattr(self, name)}; legal: {', '.join(choices)}.")
        if not 0 <= self.stochastic_depth < 1:
            raise OpengatoError(f"stochastic_depth={self.stochastic_depth}; legal: 0 to below 1.")
        if self.feedforward % 2:
            raise OpengatoError(f"feedforward={self.feedforward} is odd; one half of it gates the other.")
        if not (self.pooled or self.own_actions):
            raise OpengatoError("own_actions=false needs pooled=true: actions decoded one by one must be seen.")
        if not self.pooled and self.patch_width != self.width:
            raise OpengatoError(
                f"patch_width={self.patch_width} needs pooled=true; with pooled=false a patch is a position, so it "
                f"must be the width, {self.width}."
            )
        for name in ("value_features", "plain_features"):
            if (count := getattr(self, name)) % 2:
                raise OpengatoError(f"{name}={count}; legal: even numbers from 0, since waves come in pairs.")
        if not 0 <= self.target_smoothing <= 150:
            raise OpengatoError(f"target_smoothing={self.target_smoothing}; legal: 0 to 150 bins of the 1 024.")
        if self.head_dim % 2:
            raise OpengatoError(f"head_dim={self.head_dim} is odd; the rotary embedding turns pairs of channels.")

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> ModelConfig:
        """Read the JSON form. Raises OpengatoError on a field that this version does not know."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(facts) - known)
        if unknown:
            raise OpengatoError(f"model configuration has unknown fields {unknown}; known: {sorted(known)}.")
        return cls(**{"plain_features": 0, **facts})  # agents of before there were any


_PAPER = ModelConfig(
    window=1024, vocabulary=32000, pooled=False, own_actions=True, slots=512, plain_features=0, normalize=False,
    target_smoothing=0.0, patch_stem=1, patch_channels=96, patch_width=ModelConfig.width, patch_pool="mean",
    stochastic_depth=0.1, decode="sample",
)  # fmt: skip

# Block counts, widths and head sizes of the last three: Gato, table 5.
PRESETS: dict[str, ModelConfig] = {
    "pico": ModelConfig(blocks=2, heads=2, width=64, feedforward=256),
    "micro": ModelConfig(blocks=3, heads=4, width=128, feedforward=512),
    "nano": ModelConfig(),
    "small": ModelConfig(blocks=6, heads=8, width=256, feedforward=1024),
    "mini": ModelConfig(
        window=256, blocks=6, heads=6, width=384, feedforward=1536, head_dim=64, slots=4096, stochastic_depth=0.05
    ),
    "79m": replace(_PAPER, blocks=8, heads=24, width=768, feedforward=3072, head_dim=32, patch_width=768),
    "364m": replace(_PAPER, blocks=12, heads=12, width=1536, feedforward=6144, head_dim=128, patch_width=1536),
    "1b": replace(_PAPER, blocks=24, heads=16, width=2048, feedforward=8192, head_dim=128, patch_width=2048),
}


def preset(name: str) -> ModelConfig:
    """The preset of a name. Raises UnknownNameError."""
    if name not in PRESETS:
        raise UnknownNameError("model", name, PRESETS, "Next: opengato list models")
    return PRESETS[name]
