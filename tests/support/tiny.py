"""A model that vLLM serves and that says nothing sensible: random weights, a tokenizer of bytes. Made in a second."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WIDTH, INNER, LAYERS, HEADS, KV_HEADS, HEAD = 128, 256, 2, 4, 2, 32
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make(folder: Path) -> Path:
    folder.mkdir(parents=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    notes = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(notes))
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": len(vocabulary),
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": True,
        "eos_token_id": 2,
        "torch_dtype": "float32",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights(len(vocabulary)), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def weights(words: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)

    def matrix(*shape: int) -> np.ndarray:
        return random.normal(0, 0.15, shape).astype(np.float32)

    found = {"model.embed_tokens.weight": matrix(words, WIDTH), "model.norm.weight": np.ones(WIDTH, np.float32)}
    for layer in range(LAYERS):
        name = f"model.layers.{layer}"
        found |= {
            f"{name}.self_attn.q_proj.weight": matrix(HEADS * HEAD, WIDTH),
            f"{name}.self_attn.k_proj.weight": matrix(KV_HEADS * HEAD, WIDTH),
            f"{name}.self_attn.v_proj.weight": matrix(KV_HEADS * HEAD, WIDTH),
            f"{name}.self_attn.o_proj.weight": matrix(WIDTH, HEADS * HEAD),
            f"{name}.self_attn.q_norm.weight": np.ones(HEAD, np.float32),
            f"{name}.self_attn.k_norm.weight": np.ones(HEAD, np.float32),
            f"{name}.mlp.gate_proj.weight": matrix(INNER, WIDTH),
            f"{name}.mlp.up_proj.weight": matrix(INNER, WIDTH),
            f"{name}.mlp.down_proj.weight": matrix(WIDTH, INNER),
            f"{name}.input_layernorm.weight": np.ones(WIDTH, np.float32),
            f"{name}.post_attention_layernorm.weight": np.ones(WIDTH, np.float32),
        }
    return found
