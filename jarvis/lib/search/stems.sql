-- Words, each with its stem in Spanish and in English; empty where a language passes over it.
SELECT word, coalesce((ts_lexize('spanish_stem', word))[1], ''), coalesce((ts_lexize('english_stem', word))[1], '')
FROM unnest(%s::text[]) word
