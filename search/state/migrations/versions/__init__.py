"""One file a revision, numbered; `search.state.database.SCHEMA` names the newest."""
