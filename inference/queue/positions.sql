{places}
SELECT placed.id, placed.model, placed.place, measured.running, measured.seconds
FROM placed JOIN measured USING (model)
WHERE placed.id = ANY(%(ids)s)
