UPDATE chat_searchentry SET words = %s::tsvector, stale = false WHERE id = %s
