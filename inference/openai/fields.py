"""Every field that a chat request can have: what Jarvis accepts, what it passes over, what it refuses and why.

The three tables together name every field of vLLM's own request, so that a field which a new vLLM brings
is refused as unknown and fails a test until somebody has decided about it.
"""

from inference.openai.answer_form import FORM_FIELDS
from inference.openai.schemas import Fields

ACCEPTED_FIELDS = frozenset(Fields.__struct_fields__)

WHOLE_NUMBERS = frozenset(
    ["top_k", "max_tokens", "max_completion_tokens", "min_tokens", "n", "seed", "top_logprobs", "priority"]
)

# Read by Jarvis alone; everything else that is accepted goes to the engine.
OUR_FIELDS = frozenset(
    [
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "stream",
        "stream_options",
        "user",
        "metadata",
        "priority",
        "modalities",
        *FORM_FIELDS,  # told in one way, whichever was used
    ]
)

# Clients send these by habit. They change nothing in an answer that is made here, so they are passed over.
IGNORED_FIELDS = frozenset(
    [
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "prediction",
        "verbosity",
    ]
)

_TEMPLATE = "The model's own chat template is used."
_MEDIA = "Only text is accepted."
_IDS = "Token ids are the gateway's own business."
_SAMPLING = "Choose with temperature, top_p, top_k, min_p, stop and max_tokens."
_SCHEMA = "Use `response_format` with a JSON schema."
_ENGINE = "It steers the engine's inside and is not open to requests."
_OLD = "Use `tools` and `tool_choice`."

# Names that get a reason of their own; anything else that is not in the tables above is refused as unknown.
REFUSED_FIELDS = {
    "chat_template": _TEMPLATE,
    "add_generation_prompt": _TEMPLATE,
    "continue_final_message": _TEMPLATE,
    "add_special_tokens": _TEMPLATE,
    "echo": _TEMPLATE,
    "documents": "Put the documents into the messages.",
    "prompt": "Send `messages`.",
    "suffix": "Send `messages`.",
    "prompt_embeds": _MEDIA,
    "mm_processor_kwargs": _MEDIA,
    "media_io_kwargs": _MEDIA,
    "mm_payload": _MEDIA,
    "return_mm_kwargs": _MEDIA,
    "audio": _MEDIA,
    "prompt_logprobs": "Only `logprobs` of the answer can be had.",
    "logprob_token_ids": "Only `logprobs` and `top_logprobs` can be had.",
    "return_tokens_as_token_ids": _IDS,
    "return_token_ids": _IDS,
    "return_token_offsets": _IDS,
    "return_prompt_text": _IDS,
    "allowed_token_ids": _IDS,
    "stop_token_ids": _IDS,
    "truncate_prompt_tokens": "Shorten the messages.",
    "truncation_side": "Shorten the messages.",
    "best_of": "Use `n`.",
    "use_beam_search": _SAMPLING,
    "length_penalty": _SAMPLING,
    "bad_words": _SAMPLING,
    "include_stop_str_in_output": _SAMPLING,
    "skip_special_tokens": _SAMPLING,
    "spaces_between_special_tokens": _SAMPLING,
    "repetition_detection": _SAMPLING,
    "thinking_token_budget": "Use `reasoning_effort`.",
    "include_reasoning": "Use `reasoning_effort`.",
    "watermarking": _ENGINE,
    "guided_regex": _SCHEMA,
    "guided_grammar": _SCHEMA,
    "guided_decoding_backend": _SCHEMA,
    "guided_whitespace_pattern": _SCHEMA,
    "request_id": "Every answer carries an id of its own, and `x-request-id`.",
    "session_id": _ENGINE,
    "cache_salt": _ENGINE,
    "kv_transfer_params": _ENGINE,
    "ec_transfer_params": _ENGINE,
    "vllm_xargs": _ENGINE,
    "routed_experts_prompt_start": _ENGINE,
    "stream_interval": _ENGINE,
    "functions": _OLD,
    "function_call": _OLD,
    "web_search_options": "This server does not search the web.",
    "moderation": "This server has no moderation model.",
}
