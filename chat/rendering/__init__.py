"""What models write, as HTML: pure functions of a text, without any I/O.

`markdown` turns Markdown into HTML, `code` and `formulas` do what lies in fences and between dollars, `sanitise` lets
through only what it knows, and `draft` does all of it block by block while a text grows.
"""
