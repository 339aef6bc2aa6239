-- Store how attempts ended, where each still holds its row, with what the call cost by the prices of now.
UPDATE inference_generation g
SET status = o.status, text = o.text, choices = o.choices::jsonb, finish_reason = o.finish_reason,
    prompt_tokens = o.prompt_tokens, completion_tokens = o.completion_tokens, cached_tokens = o.cached_tokens,
    reasoning_tokens = o.reasoning_tokens,
    error_code = o.error_code, error_message = o.error_message, error_param = o.error_param,
    cost = (
        SELECT ((o.prompt_tokens - o.cached_tokens) * coalesce(m.price_input, 0)
                + o.cached_tokens * coalesce(m.price_cached, m.price_input, 0)
                + o.completion_tokens * coalesce(m.price_output, 0)) / 1000000
        FROM inference_languagemodel m
        WHERE m.name = g.model AND coalesce(m.price_input, m.price_output) IS NOT NULL
    ),
    first_token_at = coalesce(g.first_token_at, o.first_token_at), finished_at = coalesce(o.finished_at, now()),
    lease_until = NULL
FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[],
            %s::int[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS o(id, attempt, status, text, choices, finish_reason, prompt_tokens, completion_tokens, cached_tokens,
         reasoning_tokens, error_code, error_message, error_param, first_token_at, finished_at)
WHERE g.id = o.id AND g.attempt = o.attempt AND g.status IN ('queued', 'running')
RETURNING g.id, g.attempt
