"""What models write, as HTML: pure functions of a text, without any I/O.

`markdown` turns Markdown into HTML, `code` and `math` render fences and formulas, `sanitise` lets through only what is
allowed, `incremental` does all of it block by block while a text grows, and `stored` marks HTML that is kept.
"""
