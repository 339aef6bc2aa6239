-- Delete the words of a person that none of their texts has any more.
DELETE FROM chat_searchword WHERE owner_id = %s AND word NOT IN (
    SELECT word FROM ts_stat(format('SELECT words FROM chat_searchentry WHERE owner_id = %%s', %s::int))
)
