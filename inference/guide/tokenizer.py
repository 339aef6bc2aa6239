"""The guide's own byte-level BPE, and the files that make a model folder readable for transformers and vLLM."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, END, USER, BEFORE, GUIDE = SPECIAL = ("<|pad|>", "<|end|>", "<|user|>", "<|before|>", "<|guide|>")
TEMPLATE = Path(__file__).with_name("template.jinja")


def learn(texts: Iterable[str], size: int) -> Tokenizer:
    """A byte-level BPE of at most `size` tokens, learnt from `texts`: any UTF-8 goes in and comes back unchanged."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            min_frequency=3,
            show_progress=False,
        ),
    )
    return tokenizer


def number(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that the tokenizer has; raises KeyError where it has not."""
    return tokenizer.get_vocab()[token]


def save(tokenizer: Tokenizer, folder: Path) -> None:
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": [USER, BEFORE, GUIDE],
        "clean_up_tokenization_spaces": False,
        "model_max_length": 4096,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "chat_template.jinja").write_text(TEMPLATE.read_text())
