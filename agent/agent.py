"""The agent as a folder: configuration, weights, vocabulary, the specs it was trained on with their statistics, a
card.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from opengato.agent.codec import Codec
from opengato.agent.compress import compress
from opengato.agent.config import ModelConfig
from opengato.agent.episode import Episode
from opengato.agent.likelihood import perplexity
from opengato.agent.model import Model
from opengato.agent.policy import Body, Policy
from opengato.agent.prompt import Prompt
from opengato.agent.shipped import find
from opengato.agent.spec import Spec
from opengato.agent.text import Vocabulary
from opengato.errors import OpengatoError

FORMAT = 2
Statistics = dict[str, tuple[np.ndarray, np.ndarray]]


class Agent:
    """One set of weights and what is needed to use them in any body.

    Args:
        model: the network.
        vocabulary: of texts.
        statistics: per spec signature the mean and standard deviation of observation numbers, float32 each.
        specs: per spec signature its JSON form, for people.
        card: what is known of the agent: command, seed, hours, scores. JSON values.
    """

    def __init__(
        self, model: Model, vocabulary: Vocabulary, statistics: Statistics | None = None,
        specs: dict[str, Any] | None = None, card: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if len(vocabulary) > model.config.vocabulary:
            raise OpengatoError(
                f"the vocabulary has {len(vocabulary)} tokens, the model {model.config.vocabulary}. "
                "Next: a larger model.vocabulary or a smaller vocabulary."
            )
        self.model, self.vocabulary = model, vocabulary
        self.statistics: Statistics = statistics or {}
        self.specs, self.card = specs or {}, card or {}

    @classmethod
    def new(cls, config: ModelConfig, vocabulary: Vocabulary | None = None, seed: int = 0) -> Agent:
        """An untrained agent."""
        torch.manual_seed(seed)
        return cls(Model(config), vocabulary or Vocabulary.load())

    def codec(self, spec: Spec) -> Codec:
        """The translator for a spec, with the statistics of its embodiment if the agent knows it."""
        mean, std = self.statistics.get(spec.signature, (None, None)) if self.model.config.normalize else (None, None)
        return Codec(spec, self.vocabulary, mean, std)

    def policy(
        self, spec: Spec, prompt: Prompt | None = None, *, batch_size: int | None = None, horizon: int | None = None,
        **options: Any,
    ) -> Policy:  # fmt: skip
        """Act in a body.

        Args:
            spec: of the embodiment.
            prompt: what comes before every episode.
            batch_size: number of environments; None for one, whose observations and actions then come bare.
            horizon: as in `Body`.
            options: as in `Policy` (seed, decode, temperature).
        """
        body = Body(self.codec(spec), prompt or Prompt(), batch_size or 1, horizon)
        self.model.eval()
        return Policy(self.model, [body], bare=batch_size is None, **options)

    def mixed_policy(self, bodies: Sequence[tuple[Spec, Prompt | None, int]], **options: Any) -> Policy:
        """Act in several bodies at once, one forward pass for all.

        Args:
            bodies: spec, prompt and number of environments of each; observations and actions come in this order.
            options: as in `Policy` (seed, decode, temperature).
        """
        made = [Body(self.codec(spec), prompt or Prompt(), rows) for spec, prompt, rows in bodies]
        self.model.eval()
        return Policy(self.model, made, **options)

    def perplexity(self, spec: Spec, episodes: Sequence[Episode]) -> float:
        """Perplexity per token of the texts written in episodes of a text task."""
        self.model.eval()
        return perplexity(self.model, self.codec(spec), episodes)

    def save(self, folder: str | Path) -> Path:
        """Write the agent; each file appears whole or not at all, the weights last."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        known = {
            sign: {**self.specs.get(sign, {}), "mean": mean.tolist(), "std": std.tolist()}
            for sign, (mean, std) in self.statistics.items()
        }
        self.vocabulary.save(path / "vocabulary.json")
        _write(path / "specs.json", {**{s: v for s, v in self.specs.items() if s not in known}, **known})
        _write(path / "card.json", self.card)
        config = {"format": FORMAT, "vocabulary_digest": self.vocabulary.digest, "model": asdict(self.model.config)}
        _write(path / "config.json", config)
        temporary = path / "model.safetensors.part"
        save_file({name: tensor.contiguous() for name, tensor in self.model.state_dict().items()}, temporary)
        temporary.replace(path / "model.safetensors")
        return path

    @classmethod
    def load(cls, name: str | Path, device: str | torch.device = "cpu", precision: str = "fp32") -> Agent:
        """Read an agent: the name of one that ships, or a folder.

        Args:
            name: of the agent.
            device: where it is to run.
            precision: of the weights to act with, as in `compress`; only "fp32" can be trained further.

        Raises:
            UnknownNameError: neither a shipped agent nor a folder has that name.
            OpengatoError: a file is missing, truncated, or not what it should be.
        """
        path = find(name)
        config = _read(path / "config.json")
        if config.get("format") != FORMAT:
            raise OpengatoError(
                f"agent {str(name)!r} has format {config.get('format')!r}; this version reads {FORMAT}. Next: train it "
                "anew, or take the version that made it."
            )
        vocabulary = Vocabulary.load(path / "vocabulary.json")
        if vocabulary.digest != config["vocabulary_digest"]:
            raise OpengatoError(
                f"agent {str(name)!r}: vocabulary.json is not the one it was trained with. Next: restore it."
            )
        model = Model(ModelConfig.from_dict(config["model"]))
        load_weights(model, path / "model.safetensors")
        specs = _read(path / "specs.json")
        statistics = {
            sign: (np.asarray(facts["mean"], np.float32), np.asarray(facts["std"], np.float32))
            for sign, facts in specs.items()
            if "mean" in facts
        }
        specs = {sign: {k: v for k, v in facts.items() if k not in ("mean", "std")} for sign, facts in specs.items()}
        return cls(
            compress(model, precision).to(device).eval(), vocabulary, statistics, specs, _read(path / "card.json")
        )


def load_weights(model: Model, path: Path) -> None:
    """Strictly load a safetensors file into a model. Raises OpengatoError when it is no such file or does not fit."""
    if not path.is_file():
        raise OpengatoError(f"weights {str(path)!r} are missing. Next: give a folder that holds model.safetensors.")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        with path.open("rb") as file:
            start = file.read(8)
        what = (
            "looks like a pickle, which is never loaded"
            if start[:2] in (b"\x80\x02", b"PK", b"\x80\x04")
            else f"{error}"
        )
        raise OpengatoError(
            f"weights {str(path)!r} are no whole safetensors file ({what}). Next: restore the file from where it came."
        ) from None
    try:
        model.load_state_dict({name: tensor.float() for name, tensor in weights.items()}, strict=True)
    except RuntimeError as error:
        raise OpengatoError(
            f"weights {str(path)!r} do not fit config.json: {str(error).splitlines()[-1].strip()}"
        ) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise OpengatoError(f"{str(path)!r} is missing: the agent's folder is not whole. Next: restore it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise OpengatoError(f"{str(path)!r} is no JSON: {error}. Next: restore it.") from None


def _write(path: Path, facts: dict[str, Any]) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)
