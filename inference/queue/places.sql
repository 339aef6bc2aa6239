-- Each waiting row's place in the queue of its model, and what is measured of that model's answers.
{line}, placed AS (
    SELECT id, model, owner_id, fresh, row_number() OVER (PARTITION BY model {order}) AS place FROM waiting
), measured AS (
    SELECT kind.model, busy.running, latest.seconds
    FROM (SELECT DISTINCT model FROM waiting) kind
    CROSS JOIN LATERAL (
        SELECT count(*) AS running FROM inference_generation g
        WHERE g.model = kind.model AND g.status = 'running' AND g.lease_until > now()
    ) busy
    CROSS JOIN LATERAL (
        SELECT avg(extract(epoch FROM finished_at - started_at))::float8 AS seconds
        FROM (SELECT g.started_at, g.finished_at FROM inference_generation g
              WHERE g.model = kind.model AND g.finished_at IS NOT NULL AND g.started_at IS NOT NULL
                    AND g.status IN ('done', 'stopped')
              ORDER BY g.finished_at DESC LIMIT %(latest)s) recent
    ) latest
)
