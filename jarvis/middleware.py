def request_context(get_response):
    return get_response
