"""One file a revision, numbered; `search.database.SCHEMA` names the newest."""
