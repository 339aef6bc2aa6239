"""The guide's network: a small Qwen3, with the parameter names that transformers and vLLM expect in a model folder."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone knows


@dataclass(frozen=True)
class NetworkShape:
    """The sizes of the network; `config()` is what `config.json` says of them."""

    vocabulary: int
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 2
    head: int = 64
    feed_forward: int = 768
    positions: int = 4096
    rope_theta: float = 10_000.0

    def config(self, bos: int, eos: int, pad: int) -> dict[str, Any]:
        return {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "vocab_size": self.vocabulary,
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "head_dim": self.head,
            "intermediate_size": self.feed_forward,
            "max_position_embeddings": self.positions,
            "rope_theta": self.rope_theta,
            "rms_norm_eps": 1e-6,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "tie_word_embeddings": True,
            "bos_token_id": bos,
            "eos_token_id": eos,
            "pad_token_id": pad,
            "torch_dtype": "bfloat16",
            "use_cache": True,
        }


class Attention(nn.Module):
    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.head = shape.head
        self.q_proj = nn.Linear(shape.hidden, shape.heads * shape.head, bias=False)
        self.k_proj = nn.Linear(shape.hidden, shape.key_value_heads * shape.head, bias=False)
        self.v_proj = nn.Linear(shape.hidden, shape.key_value_heads * shape.head, bias=False)
        self.o_proj = nn.Linear(shape.heads * shape.head, shape.hidden, bias=False)
        self.q_norm = nn.RMSNorm(shape.head, eps=1e-6)
        self.k_norm = nn.RMSNorm(shape.head, eps=1e-6)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        sizes = [each.weight.shape[0] // self.head for each in (self.q_proj, self.k_proj, self.v_proj)]
        together = torch.cat((self.q_proj.weight, self.k_proj.weight, self.v_proj.weight))
        mixed = F.linear(x, together).view(batch, length, -1, self.head).transpose(1, 2)
        query, key, value = torch.split(mixed, sizes, dim=1)
        query = rotate(self.q_norm(query.float()), cos, sin) * self.head**-0.5
        key = rotate(self.k_norm(key.float()), cos, sin)
        query = query.reshape(batch, key.shape[1], -1, self.head)  # one after the other, those that share a key head
        scores = (query @ key.transpose(-1, -2)).view(batch, key.shape[1], -1, length, length)
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        weights = scores.float().masked_fill(later, -torch.inf).softmax(-1).view(batch, key.shape[1], -1, length)
        mixed = (weights @ value).view(batch, -1, length, self.head)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.feed_forward, bias=False)
        self.down_proj = nn.Linear(shape.feed_forward, shape.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = F.linear(x, torch.cat((self.gate_proj.weight, self.up_proj.weight))).chunk(2, dim=-1)
        return self.down_proj(F.silu(gate) * up)  # type: ignore[no-any-return]


class Layer(nn.Module):
    def __init__(self, shape: NetworkShape, dropout: float) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=1e-6)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=1e-6)
        self.mlp = FeedForward(shape)
        self.dropout = dropout

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + F.dropout(self.self_attn(self.input_layernorm(x), cos, sin), self.dropout, self.training)
        return x + F.dropout(self.mlp(self.post_attention_layernorm(x)), self.dropout, self.training)


class Body(nn.Module):
    def __init__(self, shape: NetworkShape, dropout: float) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, eps=1e-6)
        self.shape = shape

    def forward(self, ids: Tensor) -> Tensor:
        cos, sin = rotary(ids.shape[1], self.shape)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)  # type: ignore[no-any-return]


class Network(nn.Module):
    """The causal language model; the output matrix is the embedding matrix."""

    def __init__(self, shape: NetworkShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.model = Body(shape, dropout)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                scale = (2 * shape.layers) ** -0.5 if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0
                nn.init.normal_(parameter, std=0.02 * scale)

    def forward(self, ids: Tensor, wanted: Tensor | None = None) -> Tensor:
        """The logits at every position of `ids` (batch, length), or only where the mask `wanted` is true."""
        x = self.model(ids)
        return F.linear(x if wanted is None else x[wanted], self.model.embed_tokens.weight)


def rotary(length: int, shape: NetworkShape) -> tuple[Tensor, Tensor]:
    """The cosines and sines of rotary position embedding (Su et al. 2021, arXiv:2104.09864), (length, head) each."""
    rates = shape.rope_theta ** (-torch.arange(0, shape.head, 2).float() / shape.head)
    angles = torch.outer(torch.arange(length).float(), rates).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, dim=-1)
    return x * cos.to(x.dtype) + torch.cat((-right, left), dim=-1) * sin.to(x.dtype)
