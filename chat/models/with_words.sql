-- Whether a tsquery (twice) finds something in a conversation's title or texts.
chat_conversation.words @@ %s::tsquery
OR chat_conversation.id IN (SELECT conversation_id FROM chat_message WHERE words @@ %s::tsquery)
