-- Hand queued rows to a worker. Only so many candidates are looked at again and locked: enough to pass over those that
-- another worker is just taking. The planner believes that a queue is short, as it mostly is; without this bound it
-- compares all rows with all others.
{line}, ranked AS MATERIALIZED (
    SELECT id, row_number() OVER ({order}) AS rank FROM waiting ORDER BY rank LIMIT %(limit)s * 2 + 64
), picked AS (
    SELECT g.id
    FROM inference_generation g
    JOIN ranked USING (id)
    WHERE g.status = 'queued' OR (g.status = 'running' AND g.lease_until <= now())
    ORDER BY ranked.rank
    LIMIT %(limit)s
    FOR UPDATE OF g SKIP LOCKED
)
UPDATE inference_generation g
SET status = 'running', attempt = g.attempt + 1, worker = %(worker)s,
    lost_workers = g.lost_workers + (g.status = 'running' AND g.worker <> '')::int,
    lease_until = now() + %(lease)s, started_at = coalesce(g.started_at, now())
FROM picked
WHERE g.id = picked.id
RETURNING g.*
