-- Conversations of a person with hits, best first: id, best message (null: only the title has hits), how many messages.
WITH found AS MATERIALIZED (
    SELECT e.id, e.conversation_id, e.message_id FROM chat_searchentry e
    WHERE e.words @@ %(query)s::tsquery AND e.owner_id = %(owner)s
), newest AS MATERIALIZED (
    SELECT found.id FROM found JOIN chat_conversation c ON c.id = found.conversation_id
    WHERE found.message_id IS NOT NULL AND c.deleted_at IS NULL
    ORDER BY found.message_id DESC LIMIT %(ranked)s
), ranked AS (
    SELECT e.conversation_id, e.message_id, ts_rank(e.words, %(query)s::tsquery, 1) AS rank
    FROM newest JOIN chat_searchentry e ON e.id = newest.id
), best AS (
    SELECT DISTINCT ON (conversation_id) conversation_id, message_id, rank,
        count(*) OVER (PARTITION BY conversation_id) AS hits
    FROM ranked ORDER BY conversation_id, rank DESC, message_id DESC
), titled AS (
    SELECT conversation_id FROM found WHERE message_id IS NULL
)
SELECT c.id, best.message_id, coalesce(best.hits, 0)
FROM best FULL JOIN titled USING (conversation_id)
JOIN chat_conversation c ON c.id = conversation_id AND c.deleted_at IS NULL
ORDER BY coalesce(best.rank, 0) + (titled.conversation_id IS NOT NULL)::int DESC, c.updated_at DESC, c.id DESC
LIMIT %(limit)s OFFSET %(offset)s
