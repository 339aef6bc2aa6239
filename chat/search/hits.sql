-- Conversations of a person with hits, best first: id, best message (null: only the title has hits), how many messages.
-- `mine` and `titles` are the search among a person's messages and titles; `query` is it alone, for the rank. That the
-- owner is right is looked at once more, in a way (+ 0) that keeps the planner from reading all of theirs for it.
WITH newest AS MATERIALIZED (
    SELECT e.id, e.message_id FROM chat_searchentry e
    WHERE e.words @@ %(mine)s::tsquery AND e.owner_id + 0 = %(owner)s AND e.message_id IS NOT NULL
        AND e.conversation_id NOT IN (
            SELECT id FROM chat_conversation WHERE owner_id = %(owner)s AND deleted_at IS NOT NULL
        )
    ORDER BY e.message_id DESC LIMIT %(ranked)s
), ranked AS (
    SELECT e.conversation_id, e.message_id, ts_rank(e.words, %(query)s::tsquery, 1) AS rank
    FROM newest JOIN chat_searchentry e ON e.id = newest.id
), best AS (
    SELECT DISTINCT ON (conversation_id) conversation_id, message_id, rank,
        count(*) OVER (PARTITION BY conversation_id) AS hits
    FROM ranked ORDER BY conversation_id, rank DESC, message_id DESC
), titled AS (
    SELECT e.conversation_id FROM chat_searchentry e WHERE e.words @@ %(titles)s::tsquery AND e.owner_id + 0 = %(owner)s
)
SELECT c.id, best.message_id, coalesce(best.hits, 0)
FROM best FULL JOIN titled USING (conversation_id)
JOIN chat_conversation c ON c.id = conversation_id AND c.deleted_at IS NULL
ORDER BY coalesce(best.rank, 0) + (titled.conversation_id IS NOT NULL)::int DESC, c.updated_at DESC, c.id DESC
LIMIT %(limit)s OFFSET %(offset)s
