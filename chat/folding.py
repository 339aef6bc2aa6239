"""Letters without their accents, the same for what is searched and for what is searched in.

A migration has written the two rows of letters into the database: other letters need another migration.
"""

ACCENTED = "áàâäãåéèêëíìîïóòôöõúùûüýÿñçÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÝŸÑÇ"
PLAIN = "aaaaaaeeeeiiiiooooouuuuyyncAAAAAAEEEEIIIIOOOOOUUUUYYNC"

_table = str.maketrans(ACCENTED, PLAIN)


def fold(text: str) -> str:
    """As many characters as before, so that a place in one is the same place in the other."""
    return text.translate(_table)
