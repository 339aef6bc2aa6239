-- Conversations of a person with hits, best first: id, best message (null: only the title has hits), how many messages.
WITH said AS MATERIALIZED (
    SELECT m.conversation_id, m.id FROM chat_message m WHERE m.words @@ %(query)s::tsquery
), newest AS MATERIALIZED (
    SELECT said.id FROM said JOIN chat_conversation c ON c.id = said.conversation_id
    WHERE c.owner_id = %(owner)s AND c.deleted_at IS NULL
    ORDER BY said.id DESC LIMIT %(ranked)s
), ranked AS (
    SELECT m.conversation_id, m.id, ts_rank(m.words, %(query)s::tsquery, 1) AS rank
    FROM newest JOIN chat_message m ON m.id = newest.id
), best AS (
    SELECT DISTINCT ON (conversation_id) conversation_id, id, rank, count(*) OVER (PARTITION BY conversation_id) AS hits
    FROM ranked ORDER BY conversation_id, rank DESC, id DESC
)
SELECT c.id, best.id, coalesce(best.hits, 0)
FROM chat_conversation c LEFT JOIN best ON best.conversation_id = c.id
WHERE c.owner_id = %(owner)s AND c.deleted_at IS NULL
    AND (best.id IS NOT NULL OR c.words @@ %(query)s::tsquery)
ORDER BY coalesce(best.rank, 0) + (c.words @@ %(query)s::tsquery)::int DESC, c.updated_at DESC, c.id DESC
LIMIT %(limit)s OFFSET %(offset)s
