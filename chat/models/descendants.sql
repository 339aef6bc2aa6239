-- A message and all that follows it, in every version.
WITH RECURSIVE below(id) AS (
    SELECT %s::bigint
    UNION ALL
    SELECT m.id FROM chat_message m JOIN below ON m.parent_id = below.id
) SELECT id FROM below
