"""The one statement that hands queued work to a worker, and the order in which it does.

`load`: what each owner has running. `line`: the owners' waiting rows in their order. `served`: when an owner last got a
slot. `waiting`: what may be claimed. What comes first:

1. Rows that lost their worker, since somebody is already reading them.
2. Who is overdue: the first row of an owner who has nothing running and has waited for PATIENCE seconds, half as long
   with each step of priority. Who has waited longest, in the same measure, is first. Being served begins the wait anew,
   so everybody's turn comes, whatever others with priority ask for.
3. Who has least running: an owner's first row comes after as many turns as the owner has running, the next one turn
   later. Each step of priority halves the turns.
4. Who was served longest ago; then age.

`inference.queue.position` tells people their place in the same order; there `models` is null, which means all.
"""

MAX_TURN_SECONDS = 30

IN_TURN = """
WITH load AS MATERIALIZED (
    SELECT owner_id, count(*) AS running
    FROM inference_generation
    WHERE status = 'running' AND lease_until > now()
    GROUP BY owner_id
), line AS MATERIALIZED (
    SELECT g.id, g.model, g.owner_id, g.status = 'queued' AS fresh, g.created_at,
           power(2, greatest(-9, least(9, g.priority))) AS weight,
           row_number() OVER (PARTITION BY g.model, g.owner_id ORDER BY g.created_at) AS place
    FROM inference_generation g
    WHERE (%(models)s::text[] IS NULL OR g.model = ANY(%(models)s))
      AND (g.status = 'queued' OR (g.status = 'running' AND g.lease_until <= now() AND g.attempt < %(attempts)s))
), served AS MATERIALIZED (
    SELECT owners.owner_id, last.started_at
    FROM (SELECT DISTINCT owner_id FROM line) owners
    CROSS JOIN LATERAL (
        SELECT g.started_at FROM inference_generation g
        WHERE g.owner_id = owners.owner_id AND g.started_at IS NOT NULL
        ORDER BY g.created_at DESC LIMIT 1
    ) last
), waiting AS (
    SELECT line.id, line.model, line.owner_id, line.fresh, line.created_at,
           greatest(line.created_at, served.started_at) AS since,
           (coalesce(load.running, 0) + line.place) / line.weight AS turn,
           CASE WHEN line.place = 1 AND load.running IS NULL THEN
               extract(epoch FROM now() - greatest(line.created_at, served.started_at)) * line.weight
           END AS waited
    FROM line LEFT JOIN load USING (owner_id) LEFT JOIN served USING (owner_id)
)"""

ORDER = f"""ORDER BY waiting.fresh, CASE WHEN waiting.waited > {MAX_TURN_SECONDS} THEN waiting.waited END DESC NULLS LAST,
             waiting.turn, waiting.since, waiting.created_at"""

# Only so many candidates are looked at again and locked: enough to pass over those that another worker is just taking.
# The planner believes that a queue is short, as it mostly is; without this bound it compares all rows with all others.
CANDIDATES = """, ranked AS MATERIALIZED (
    SELECT id, row_number() OVER ("""
PICK = """) AS rank FROM waiting ORDER BY rank LIMIT %(limit)s * 2 + 64
), picked AS (
    SELECT g.id
    FROM inference_generation g
    JOIN ranked USING (id)
    WHERE g.status = 'queued' OR (g.status = 'running' AND g.lease_until <= now())
    ORDER BY ranked.rank
"""
TAKE = """    LIMIT %(limit)s
    FOR UPDATE OF g SKIP LOCKED
)
UPDATE inference_generation g
SET status = 'running', attempt = g.attempt + 1, worker = %(worker)s,
    lost_workers = g.lost_workers + (g.status = 'running' AND g.worker <> '')::int,
    lease_until = now() + %(lease)s, started_at = coalesce(g.started_at, now())
FROM picked
WHERE g.id = picked.id
RETURNING g.*
"""
SQL = IN_TURN + CANDIDATES + ORDER + PICK + TAKE
