-- What runs says how many slots there are: a queue is full only while all of them are busy.
{places}
SELECT min(placed.place * measured.seconds / measured.running)
FROM placed JOIN measured USING (model)
WHERE measured.running > 0 AND placed.fresh
      AND (%(owner)s::bigint IS NULL OR placed.owner_id = %(owner)s)
