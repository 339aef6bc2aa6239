"""What both SDKs are asked to send."""

ACCEPTED = {
    "temperature": 0.5,
    "top_p": 0.9,
    "max_completion_tokens": 9,
    "stop": ["never"],
    "seed": 7,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
    "logit_bias": {"5": 1},
    "user": "u",
    "metadata": {"a": "b"},
    "store": False,
    "service_tier": "auto",
    "reasoning_effort": "low",
    "modalities": ["text"],
    "extra_body": {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "chat_template_kwargs": {"thinking": False}},
}


REFUSED = {
    "chat_template": "{{ 1 }}",
    "chat_template_kwargs": {"tools": "x"},
    "prompt_embeds": "AAAA",
    "prompt_logprobs": 1,
    "best_of": 3,
    "guided_regex": "(a+)+",
    "guided_grammar": "root ::= root",
    "structured_outputs": {"regex": "a"},
    "mm_processor_kwargs": {},
    "kv_transfer_params": {},
    "vllm_xargs": {},
    "unheard_of": 1,
}


PICTURE = [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest/meta-data/"}}]
