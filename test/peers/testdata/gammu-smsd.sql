-- The columns that gammu-smsd 1.42 expects (its schema version 17). Its package
-- has the whole schema among its documentation, which slim images leave out.
CREATE TABLE gammu (Version INTEGER NOT NULL);
INSERT INTO gammu VALUES (17);

CREATE TABLE phones (
  ID TEXT, IMEI TEXT PRIMARY KEY, IMSI TEXT, NetCode TEXT, NetName TEXT, Client TEXT, Send TEXT, Receive TEXT,
  Battery INTEGER, Signal INTEGER, Sent INTEGER DEFAULT 0, Received INTEGER DEFAULT 0,
  InsertIntoDB NUMERIC DEFAULT (datetime('now')), UpdatedInDB NUMERIC DEFAULT (datetime('now')),
  TimeOut NUMERIC DEFAULT (datetime('now')));

CREATE TABLE outbox (
  ID INTEGER PRIMARY KEY AUTOINCREMENT, DestinationNumber TEXT, Text TEXT, TextDecoded TEXT DEFAULT '', UDH TEXT,
  Coding TEXT DEFAULT 'Default_No_Compression', Class INTEGER DEFAULT -1, MultiPart TEXT DEFAULT 'false',
  RelativeValidity INTEGER DEFAULT -1, SenderID TEXT, CreatorID TEXT, DeliveryReport TEXT DEFAULT 'default',
  Retries INTEGER DEFAULT 0, Priority INTEGER DEFAULT 0, Status TEXT DEFAULT 'Reserved', StatusCode INTEGER DEFAULT -1,
  SendBefore TIME DEFAULT '23:59:59', SendAfter TIME DEFAULT '00:00:00',
  SendingDateTime NUMERIC DEFAULT (datetime('now')), SendingTimeOut NUMERIC DEFAULT (datetime('now')),
  InsertIntoDB NUMERIC DEFAULT (datetime('now')), UpdatedInDB NUMERIC DEFAULT (datetime('now')));

CREATE TABLE outbox_multipart (
  ID INTEGER, SequencePosition INTEGER, Text TEXT, TextDecoded TEXT, UDH TEXT,
  Coding TEXT DEFAULT 'Default_No_Compression', Class INTEGER DEFAULT -1,
  Status TEXT DEFAULT 'Reserved', StatusCode INTEGER DEFAULT -1, PRIMARY KEY (ID, SequencePosition));

CREATE TABLE sentitems (
  ID INTEGER, SequencePosition INTEGER, DestinationNumber TEXT, Text TEXT, TextDecoded TEXT, UDH TEXT, Coding TEXT,
  Class INTEGER, RelativeValidity INTEGER, SMSCNumber TEXT, SenderID TEXT, CreatorID TEXT, TPMR INTEGER,
  Status TEXT, StatusError INTEGER DEFAULT -1, StatusCode INTEGER DEFAULT -1,
  SendingDateTime NUMERIC, DeliveryDateTime NUMERIC,
  InsertIntoDB NUMERIC DEFAULT (datetime('now')), UpdatedInDB NUMERIC DEFAULT (datetime('now')),
  PRIMARY KEY (ID, SequencePosition));

CREATE TABLE inbox (
  ID INTEGER PRIMARY KEY AUTOINCREMENT, SenderNumber TEXT, SMSCNumber TEXT, Text TEXT, TextDecoded TEXT, UDH TEXT,
  Coding TEXT, Class INTEGER, RecipientID TEXT, Processed TEXT DEFAULT 'false', Status INTEGER DEFAULT -1,
  ReceivingDateTime NUMERIC, UpdatedInDB NUMERIC DEFAULT (datetime('now')));
