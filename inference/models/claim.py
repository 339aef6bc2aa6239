"""The one statement that hands queued work to a worker. What comes first:

1. Rows that lost their worker, since somebody is already reading them.
2. Who is overdue: the first row of an owner who has nothing running and has waited for MAX_TURN_SECONDS, half as long
   with each step of priority. Who has waited longest, in the same measure, is first. Being served begins the wait anew,
   so everybody's turn comes, whatever others with priority ask for.
3. Who has least running: an owner's first row comes after as many turns as the owner has running, the next one turn
   later. Each step of priority halves the turns.
4. Who was served longest ago; then age.

`inference.queue.position` tells people their place in the same order.
"""

from jarvis.lib.sql import read_sql

MAX_TURN_SECONDS = 30

LINE_SQL = read_sql(__file__, "claim_line")
ORDER_SQL = read_sql(__file__, "claim_order", max_turn_seconds=str(MAX_TURN_SECONDS))
CLAIM_SQL = read_sql(__file__, "claim", line=LINE_SQL, order=ORDER_SQL)
