"""What tests share: people, engines, servers, browsers, corpora. No test lies here, and no test imports another."""
