-- How many messages of a person have what is searched for, up to a number.
SELECT count(*) FROM (
    SELECT 1 FROM chat_searchentry e WHERE e.words @@ %s::tsquery LIMIT %s
) hits
