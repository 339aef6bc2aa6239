-- Words of a person's conversations that share most pieces of three letters with a given one, itself among them.
SELECT word FROM chat_searchword
WHERE owner_id = %(owner)s AND trigrams && %(trigrams)s::varchar[]
    AND length(word) BETWEEN %(chars)s - 2 AND %(chars)s + 2
ORDER BY (SELECT count(*) FROM unnest(trigrams) piece WHERE piece = ANY(%(trigrams)s::varchar[])) DESC, word
LIMIT 100
