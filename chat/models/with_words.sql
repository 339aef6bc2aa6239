-- Whether a tsquery finds something in a conversation's title or texts.
chat_conversation.id IN (
    SELECT e.conversation_id FROM chat_searchentry e WHERE e.words @@ %s::tsquery
)
