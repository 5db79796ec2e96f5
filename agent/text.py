"""Text to tokens and back: byte-level pairs, so that any Unicode text round-trips."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from opengato.errors import OpengatoError

END = "<end>"  # closes every text that the agent writes


class Vocabulary:
    """A byte-level vocabulary.

    Args:
        tokenizer: of the `tokenizers` library.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.end_id = int(tokenizer.token_to_id(END) or 0)

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    @classmethod
    def load(cls, path: str | Path | None = None) -> Vocabulary:
        """Read a vocabulary; without a path the small one that ships.

        Raises:
            OpengatoError: the file is absent or no vocabulary.
        """
        source = Path(path) if path else Path(str(files("opengato.assets"))) / "vocabulary" / "small.json"
        try:
            tokenizer = Tokenizer.from_file(str(source))
        except Exception as error:
            raise OpengatoError(
                f"vocabulary {str(source)!r} cannot be read: {error}. Next: give a tokenizer.json."
            ) from None
        if tokenizer.token_to_id(END) is None:
            raise OpengatoError(
                f"vocabulary {str(source)!r} lacks the token {END!r}. Next: make one with Vocabulary.train."
            )
        return cls(tokenizer)

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Vocabulary:
        """Learn a vocabulary of `size` tokens: 256 bytes, the end token and merges."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=size, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    def save(self, path: str | Path) -> None:
        """Write the vocabulary as JSON; the file appears whole or not at all."""
        temporary = Path(path).with_suffix(".part")
        self._tokenizer.save(str(temporary))
        temporary.replace(path)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; the end token's own spelling is encoded as plain characters."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids
        if self.end_id in ids:  # a user who writes "<end>" must not close the text
            head, _, tail = text.partition(END)
            return self.encode(head + END[0]) + self.encode(END[1:] + tail)
        return ids

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` for many texts, in parallel where the library can."""
        return [
            self.encode(text) if END in text else encoding.ids
            for text, encoding in zip(
                texts, self._tokenizer.encode_batch(list(texts), add_special_tokens=False), strict=True
            )
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; the end token is left out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    @property
    def digest(self) -> str:
        """Names the vocabulary: 16 hexadecimal digits."""
        return hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()[:16]
