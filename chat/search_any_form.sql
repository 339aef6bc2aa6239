-- A term as it is written, or in either language.
(phraseto_tsquery('spanish', %s) || phraseto_tsquery('english', %s) || phraseto_tsquery('simple', %s))
