-- Who waits, as the start of a query: `load` is what each owner has running, `line` the owners' waiting rows in their
-- order, `served` when an owner last got a slot, and `waiting` what may be claimed. `models` null means all. What is
-- behind another one is in no line until that has ended.
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
      AND (g.behind_id IS NULL OR NOT EXISTS (
          SELECT 1 FROM inference_generation b WHERE b.id = g.behind_id AND b.status IN ('queued', 'running')
      ))
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
)
