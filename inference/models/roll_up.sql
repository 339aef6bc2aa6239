-- The sums of one day. A call belongs to the day (UTC) on which it ended; rows that have ended never change.
INSERT INTO inference_usageday (day, user_id, key_id, model, calls, failed, stopped,
                                prompt_tokens, completion_tokens, cached_tokens, cost, made_at)
SELECT %(day)s, owner_id, key_id, model, count(*),
       count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'stopped'),
       sum(prompt_tokens), sum(completion_tokens), sum(cached_tokens), coalesce(sum(cost), 0), now()
FROM inference_generation
WHERE status NOT IN ('queued', 'running') AND finished_at >= %(begin)s AND finished_at < %(end)s
GROUP BY owner_id, key_id, model
