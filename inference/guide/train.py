"""Trains the guide from nothing: `python -m inference.guide.train`. Seeded, on a processor, well under an hour."""

import argparse
import json
import math
import time
from itertools import islice
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch.nn import functional as F  # noqa: N812 - the name everyone knows

from . import tokenizer as bpe
from .batches import IGNORED, VOCABULARY, batches, blur_questions, vocabulary
from .network import Network, NetworkShape

MODEL = Path(__file__).with_name("model")
SEED = 20_261_122


def rate(step: int, steps: int, peak: float, warm: int = 100) -> float:
    """The learning rate: a short rise, then a half cosine down to zero."""
    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def train(steps: int, peak: float, folder: Path, threads: int) -> None:
    torch.manual_seed(SEED)
    torch.set_num_threads(threads)
    tokenizer = vocabulary(SEED)
    shape = NetworkShape(VOCABULARY)
    network = Network(shape, dropout=0.1)
    optimizers = optimizers_for(network, peak)
    started, average = time.monotonic(), 0.0
    for step, (ids, targets) in enumerate(islice(batches(tokenizer, SEED), steps)):
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = rate(step, steps, peak)
        wanted = targets != IGNORED
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(blur_questions(ids, targets, 0.04, shape.vocabulary), wanted)
        loss = F.cross_entropy(logits.float(), targets[wanted])
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        average += (loss.item() - average) / min(step + 1, 50)
        if step % 50 == 49:
            print(f"step {step + 1}/{steps}  loss {average:.4f}  {time.monotonic() - started:.0f} s", flush=True)
        if step % 500 == 499:
            save(network, shape, tokenizer, folder)
    save(network, shape, tokenizer, folder)


def optimizers_for(network: Network, peak: float) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) for the matrices inside the layers, AdamW for the embedding and the norms."""
    matrices = [parameter for name, parameter in network.named_parameters() if name.endswith("proj.weight")]
    others = [parameter for name, parameter in network.named_parameters() if not name.endswith("proj.weight")]
    muon = torch.optim.Muon(matrices, lr=peak, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    return [muon, torch.optim.AdamW(others, lr=peak, betas=(0.9, 0.95), weight_decay=0.0, fused=True)]


def save(network: Network, shape: NetworkShape, tokenizer: Tokenizer, folder: Path) -> None:
    """The folder as transformers and vLLM read it: weights, shape, tokenizer, template and settings."""
    folder.mkdir(parents=True, exist_ok=True)
    bpe.save(tokenizer, folder)
    weights = {name: weight.to(torch.bfloat16).contiguous() for name, weight in network.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    pad, end, user = (bpe.number(tokenizer, token) for token in (bpe.PAD, bpe.END, bpe.USER))
    config = shape.config(bos=user, eos=end, pad=pad)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    settings = {"do_sample": True, "temperature": 0.1, "eos_token_id": end, "pad_token_id": pad}
    (folder / "generation_config.json").write_text(json.dumps(settings, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=MODEL)
    options = parser.parse_args()
    train(options.steps, options.rate, options.folder, options.threads)
