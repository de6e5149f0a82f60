CREATE TABLE documents (
  name TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  passages INTEGER NOT NULL
);
CREATE VIRTUAL TABLE passages USING fts5(document UNINDEXED, position UNINDEXED, body, tokenize = 'porter unicode61');
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
INSERT INTO state (name, value) VALUES ('revision', 1);
