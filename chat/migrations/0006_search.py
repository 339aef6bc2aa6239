"""Full text search over titles and texts, in Spanish and English at once.

`words` is no field of the models: a page never wants it, and it is several times as long as its text.
A text is indexed without accents, so that `cancion` finds `canción`; a search is folded in the same way.
"""

from django.db import migrations

ACCENTED = "áàâäãåéèêëíìîïóòôöõúùûüýÿñçÁÀÂÄÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÝŸÑÇ"
PLAIN = "aaaaaaeeeeiiiiooooouuuuyyncAAAAAAEEEEIIIIOOOOOUUUUYYNC"

# Of one text at most so many characters are indexed: a tsvector may have 1 MB. Where even they have too many different
# words, the first ones are indexed, for a text that cannot be indexed must still be stored.
WORDS = f"""
CREATE FUNCTION jarvis_words(written text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
DECLARE
    folded text := translate(left(written, 100000), '{ACCENTED}', '{PLAIN}');
BEGIN
    RETURN strip(to_tsvector('pg_catalog.simple', folded))
        || to_tsvector('pg_catalog.spanish', folded) || to_tsvector('pg_catalog.english', folded);
EXCEPTION WHEN program_limit_exceeded THEN
    RETURN strip(to_tsvector('pg_catalog.simple', left(folded, 10000)));
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('chat', '0005_collection'),
    ]

    operations = [
        migrations.RunSQL(WORDS, "DROP FUNCTION jarvis_words(text)"),
        migrations.RunSQL(
            "ALTER TABLE chat_message ADD COLUMN words tsvector GENERATED ALWAYS AS (jarvis_words(text)) STORED",
            "ALTER TABLE chat_message DROP COLUMN words",
        ),
        migrations.RunSQL(
            "CREATE INDEX words_of_messages ON chat_message USING gin (words)",
            "DROP INDEX words_of_messages",
        ),
        migrations.RunSQL(
            "ALTER TABLE chat_conversation ADD COLUMN words tsvector GENERATED ALWAYS AS (jarvis_words(title)) STORED",
            "ALTER TABLE chat_conversation DROP COLUMN words",
        ),
        migrations.RunSQL(
            "CREATE INDEX words_of_titles ON chat_conversation USING gin (words)",
            "DROP INDEX words_of_titles",
        ),
    ]
