"""The one statement that hands queued work to a worker.

`load`: what each owner has running. `waiting`: what may be claimed, with the place that fairness gives it:
an owner's first waiting row comes after as many turns as the owner has running, the second one turn later.
Rows that lost their worker come before all others, since somebody is already reading them. `inference.queue` tells
people their place in the same order; there `models` is null, which means all.
"""

IN_TURN = """
WITH load AS (
    SELECT owner_id, count(*) AS running
    FROM inference_generation
    WHERE status = 'running' AND lease_until > now()
    GROUP BY owner_id
), waiting AS (
    SELECT g.id, g.model, g.status = 'queued' AS fresh, g.created_at,
           coalesce(load.running, 0)
           + row_number() OVER (PARTITION BY g.model, g.owner_id ORDER BY g.created_at) AS turn
    FROM inference_generation g
    LEFT JOIN load USING (owner_id)
    WHERE (%(models)s::text[] IS NULL OR g.model = ANY(%(models)s))
      AND (g.status = 'queued' OR (g.status = 'running' AND g.lease_until <= now() AND g.attempt < %(attempts)s))
)"""

ORDER = "ORDER BY waiting.fresh, waiting.turn, waiting.created_at"

PICK = """, picked AS (
    SELECT g.id
    FROM inference_generation g
    JOIN waiting USING (id)
    WHERE g.status = 'queued' OR (g.status = 'running' AND g.lease_until <= now())
"""
TAKE = """
    LIMIT %(limit)s
    FOR UPDATE OF g SKIP LOCKED
)
UPDATE inference_generation g
SET status = 'running', attempt = g.attempt + 1, worker = %(worker)s,
    lease_until = now() + %(lease)s, started_at = coalesce(g.started_at, now())
FROM picked
WHERE g.id = picked.id
RETURNING g.*
"""
SQL = IN_TURN + PICK + ORDER + TAKE
