"""Search in texts with nothing but Postgres: one function cuts what is searched for and what is searched in.

`cutting` cuts a text into pieces, `vector` makes a tsvector of them, `query` a tsquery, `marks` finds a query again in
a text, to mark it, and `typos` names words that are nearly the same. All of it is pure but for `stems`, which asks
Postgres for the stems of words.
"""
