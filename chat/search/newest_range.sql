-- The ids of a person's newest message and of the one from which on there are so many; null where there are fewer.
SELECT max(message_id), (
    SELECT message_id FROM chat_searchentry WHERE owner_id = %(owner)s AND message_id IS NOT NULL
    ORDER BY message_id DESC OFFSET %(count)s LIMIT 1
) FROM chat_searchentry WHERE owner_id = %(owner)s AND message_id IS NOT NULL
