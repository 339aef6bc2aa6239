"""What training reads: dialogues as token ids, those of like length together."""

from collections.abc import Iterator
from itertools import islice
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from . import tokenizer as bpe
from .dialogues import Dialogue, dialogues
from .folding import prompt
from .intents import topics
from .questions import Forbidden

VOCABULARY = 3072
IGNORED = -100
POOL = 4096  # dialogues that are sorted by length together
BATCH = 4096  # tokens, padding included
WHOLE = 0.12  # share of dialogues with the whole answer; of the others only the beginning, where the guide decides


def vocabulary(seed: int) -> Tokenizer:
    """The tokenizer, learnt from the answers and from a sample of questions."""
    sample = [prompt(dialogue.questions) for dialogue in islice(dialogues(seed), 40_000)]
    answers = [topic.answer for topic in topics()] * 40
    return bpe.learn([*sample, *answers], VOCABULARY)


def trainable_dialogues(seed: int) -> Iterator[Dialogue]:
    """The dialogues that may be trained on: all but those in which a measured question has come about."""
    forbidden = Forbidden()
    return (dialogue for dialogue in dialogues(seed) if not forbidden.has(dialogue))


def examples(tokenizer: Tokenizer, seed: int) -> Iterator[tuple[list[int], int]]:
    """Token ids of prompt and answer, and how many of them are prompt."""
    random = Random(seed)
    end = bpe.number(tokenizer, bpe.END)
    answers = {topic.answer: [*tokenizer.encode(topic.answer).ids, end] for topic in topics()}
    for dialogue in trainable_dialogues(seed):
        asked = tokenizer.encode(prompt(dialogue.questions)).ids
        answer = answers[dialogue.topic.answer]
        if random.random() > WHOLE:
            answer = answer[: random.randrange(3, 10)]
        yield asked + answer, len(asked)


def batches(tokenizer: Tokenizer, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets, (dialogues, length) each; dialogues of like length together."""
    random = Random(seed)
    source = examples(tokenizer, seed)
    pad = bpe.number(tokenizer, bpe.PAD)
    while True:
        pool = sorted(islice(source, POOL), key=lambda example: len(example[0]))
        groups = group_by_length(pool)
        random.shuffle(groups)
        for group in groups:
            longest = len(group[-1][0])
            ids = torch.full((len(group), longest), pad)
            targets = torch.full((len(group), longest), IGNORED)
            for row, (tokens, asked) in enumerate(group):
                ids[row, : len(tokens)] = torch.tensor(tokens)
                targets[row, asked - 1 : len(tokens) - 1] = torch.tensor(tokens[asked:])
            yield ids, targets


def group_by_length(pool: list[tuple[list[int], int]]) -> list[list[tuple[list[int], int]]]:
    """The pool, sorted by length, cut into groups that fill a batch each."""
    groups: list[list[tuple[list[int], int]]] = [[]]
    for example in pool:
        if (len(groups[-1]) + 1) * len(example[0]) > BATCH:
            groups.append([])
        groups[-1].append(example)
    return groups


def blur_questions(ids: Tensor, targets: Tensor, share: float, size: int) -> Tensor:
    """The ids with some tokens of the questions replaced by chance, so that no single word decides alone."""
    asked = (targets == IGNORED) & (ids >= len(bpe.SPECIAL))
    return torch.where(asked & (torch.rand(ids.shape) < share), torch.randint(len(bpe.SPECIAL), size, ids.shape), ids)
