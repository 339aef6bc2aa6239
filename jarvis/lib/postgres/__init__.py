"""Django's backend for Postgres, whose pool forgets at once what died while Postgres was away."""
