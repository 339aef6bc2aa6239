-- The days whose sums do not hold as many calls as the ledger.
SELECT coalesce(g.day, u.day)
FROM (
    SELECT (finished_at AT TIME ZONE 'UTC')::date AS day, count(*) AS calls
    FROM inference_generation
    WHERE status NOT IN ('queued', 'running') AND finished_at >= %(begin)s
    GROUP BY 1
) g
FULL JOIN (
    SELECT day, sum(calls) AS calls FROM inference_usageday WHERE day >= %(day)s GROUP BY 1
) u ON u.day = g.day
WHERE g.calls IS DISTINCT FROM u.calls
ORDER BY 1
