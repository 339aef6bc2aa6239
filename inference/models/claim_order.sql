-- The order of `waiting`; `claim.py` tells what it is.
ORDER BY waiting.fresh,
         CASE WHEN waiting.waited > {max_turn_seconds} THEN waiting.waited END DESC NULLS LAST,
         waiting.turn, waiting.since, waiting.created_at
