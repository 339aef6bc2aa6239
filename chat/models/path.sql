-- From a message up to the first one: the one before a given message (before, before, conversation), else the last one
-- that is shown (leaf, else the newest of the conversation). It stops at its limit, however long the conversation is.
WITH RECURSIVE path(id, parent_id, place) AS (
    SELECT id, parent_id, 1 FROM chat_message WHERE id = (
        CASE WHEN %s::bigint IS NOT NULL
        THEN (SELECT parent_id FROM chat_message WHERE id = %s::bigint AND conversation_id = %s)
        ELSE coalesce(%s::bigint, (SELECT max(id) FROM chat_message WHERE conversation_id = %s)) END
    )
    UNION ALL
    SELECT m.id, m.parent_id, path.place + 1
    FROM chat_message m JOIN path ON m.id = path.parent_id
    WHERE path.place < %s
) SELECT id FROM path
