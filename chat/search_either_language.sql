-- A term in either language. A word that one of them passes over, such as `the` or `la`, is not looked for.
CASE WHEN numnode(phraseto_tsquery('spanish', %s)) * numnode(phraseto_tsquery('english', %s)) > 0
THEN phraseto_tsquery('spanish', %s) || phraseto_tsquery('english', %s) ELSE ''::tsquery END
