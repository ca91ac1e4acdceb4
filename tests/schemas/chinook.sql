-- The Chinook sample database (a record shop; https://github.com/lerocha/chinook-database, MIT licence, Luis Rocha).
-- The schema is written from memory, complete in its tables, columns and keys; the rows are our own fictional people.
-- Planted: customer and invoice 0 · two people of one name (1, 2) · a mother in the same house (3) · an employee who is
-- also a customer (4) · an invoice billed to a neighbour's address (5) · orphans (invoice 90, line 900) · NULL references.
CREATE TABLE Artist (ArtistId INTEGER NOT NULL PRIMARY KEY, Name VARCHAR(120));
CREATE TABLE Album (
    AlbumId INTEGER NOT NULL PRIMARY KEY, Title VARCHAR(160) NOT NULL,
    ArtistId INTEGER NOT NULL REFERENCES Artist (ArtistId)
);
CREATE TABLE Genre (GenreId INTEGER NOT NULL PRIMARY KEY, Name VARCHAR(120));
CREATE TABLE MediaType (MediaTypeId INTEGER NOT NULL PRIMARY KEY, Name VARCHAR(120));
CREATE TABLE Track (
    TrackId INTEGER NOT NULL PRIMARY KEY, Name VARCHAR(200) NOT NULL, AlbumId INTEGER REFERENCES Album (AlbumId),
    MediaTypeId INTEGER NOT NULL REFERENCES MediaType (MediaTypeId), GenreId INTEGER REFERENCES Genre (GenreId),
    Composer VARCHAR(220), Milliseconds INTEGER NOT NULL, Bytes INTEGER, UnitPrice NUMERIC(10, 2) NOT NULL
);
CREATE TABLE Playlist (PlaylistId INTEGER NOT NULL PRIMARY KEY, Name VARCHAR(120));
CREATE TABLE PlaylistTrack (
    PlaylistId INTEGER NOT NULL REFERENCES Playlist (PlaylistId), TrackId INTEGER NOT NULL REFERENCES Track (TrackId),
    PRIMARY KEY (PlaylistId, TrackId)
);
CREATE TABLE Employee (
    EmployeeId INTEGER NOT NULL PRIMARY KEY, LastName VARCHAR(20) NOT NULL, FirstName VARCHAR(20) NOT NULL,
    Title VARCHAR(30), ReportsTo INTEGER REFERENCES Employee (EmployeeId), BirthDate TIMESTAMP, HireDate TIMESTAMP,
    Address VARCHAR(70), City VARCHAR(40), State VARCHAR(40), Country VARCHAR(40), PostalCode VARCHAR(10),
    Phone VARCHAR(24), Fax VARCHAR(24), Email VARCHAR(60)
);
CREATE TABLE Customer (
    CustomerId INTEGER NOT NULL PRIMARY KEY, FirstName VARCHAR(40) NOT NULL, LastName VARCHAR(20) NOT NULL,
    Company VARCHAR(80), Address VARCHAR(70), City VARCHAR(40), State VARCHAR(40), Country VARCHAR(40),
    PostalCode VARCHAR(10), Phone VARCHAR(24), Fax VARCHAR(24), Email VARCHAR(60) NOT NULL,
    SupportRepId INTEGER REFERENCES Employee (EmployeeId)
);
CREATE TABLE Invoice (
    InvoiceId INTEGER NOT NULL PRIMARY KEY, CustomerId INTEGER NOT NULL REFERENCES Customer (CustomerId),
    InvoiceDate TIMESTAMP NOT NULL, BillingAddress VARCHAR(70), BillingCity VARCHAR(40), BillingState VARCHAR(40),
    BillingCountry VARCHAR(40), BillingPostalCode VARCHAR(10), Total NUMERIC(10, 2) NOT NULL
);
CREATE TABLE InvoiceLine (
    InvoiceLineId INTEGER NOT NULL PRIMARY KEY, InvoiceId INTEGER NOT NULL REFERENCES Invoice (InvoiceId),
    TrackId INTEGER NOT NULL REFERENCES Track (TrackId), UnitPrice NUMERIC(10, 2) NOT NULL, Quantity INTEGER NOT NULL
);
INSERT INTO Artist VALUES (1, '浜風バンド'), (2, '港カルテット');
INSERT INTO Album VALUES (1, '朝の港', 1), (2, '夜の港', 2);
INSERT INTO Genre VALUES (1, 'Jazz');
INSERT INTO MediaType VALUES (1, 'MPEG audio file');
INSERT INTO Track VALUES (1, '汽笛', 1, 1, 1, '港 作曲', 200000, 1000, 0.99), (2, '灯台', 2, 1, 1, NULL, 210000, 1100, 0.99);
INSERT INTO Playlist VALUES (1, 'Music');
INSERT INTO PlaylistTrack VALUES (1, 1), (1, 2);
INSERT INTO Employee VALUES
    (1, '山本', '健', 'General Manager', NULL, '1962-02-18 00:00:00', '2012-08-14 00:00:00',
     '本町1-1-1', 'みなと市', '福岡県', '日本', '810-0001', '092-000-7001', NULL, 'ken@chinook.example'),
    (2, '小林', '直子', 'Sales Manager', 1, '1978-12-08 00:00:00', '2012-05-01 00:00:00',
     '本町2-2-2', 'みなと市', '福岡県', '日本', '810-0001', '092-000-7002', NULL, 'naoko@chinook.example'),
    (3, '田中', '恵', 'Sales Support Agent', 2, '1983-08-29 00:00:00', '2014-04-01 00:00:00',
     '西町3-3-3', 'みなと市', '福岡県', '日本', '810-0003', '090-0000-7003', NULL, 'megumi@chinook.example');
INSERT INTO Customer VALUES
    (0, '花子', '髙橋', NULL, '中央1-2-3', 'みなと市', '福岡県', '日本', '810-0000', '092-000-1001', NULL, 'Hanako@mail.example', 3),
    (1, '浩', '佐藤', '佐藤商店', '緑町2-3-4', 'みなと市', '福岡県', '日本', '810-0002', '090-0000-1002', '092-000-1902', 'hiroshi.s@mail.example', 3),
    (2, '浩', '佐藤', NULL, '東町5-6-7', 'みなと市', '福岡県', '日本', '810-0005', '090-0000-1003', NULL, 'sato.h@mail.example', NULL),
    (3, '文子', '髙橋', NULL, '中央1-2-3', 'みなと市', '福岡県', '日本', '810-0000', '092-000-1001', NULL, 'fumiko@mail.example', 3),
    (4, '恵', '田中', NULL, '西町3-3-3', 'みなと市', '福岡県', '日本', '810-0003', '090-0000-7003', NULL, 'megumi.t@mail.example', NULL);
INSERT INTO Invoice VALUES
    (0, 0, '2025-01-05 00:00:00', '中央1-2-3', 'みなと市', '福岡県', '日本', '810-0000', 1.98),
    (1, 1, '2025-02-05 00:00:00', '緑町2-3-4', 'みなと市', '福岡県', '日本', '810-0002', 0.99),
    (2, 2, '2025-03-05 00:00:00', '東町5-6-7', 'みなと市', '福岡県', '日本', '810-0005', 0.99),
    (3, 3, '2025-04-05 00:00:00', '中央1-2-3', 'みなと市', '福岡県', '日本', '810-0000', 0.99),
    (4, 4, '2025-05-05 00:00:00', '西町3-3-3', 'みなと市', '福岡県', '日本', '810-0003', 0.99),
    (5, 1, '2025-06-05 00:00:00', '中央1-2-3', 'みなと市', '福岡県', '日本', '810-0000', 0.99),
    (6, 0, '2025-07-05 00:00:00', '中央1-2-3', 'みなと市', '福岡県', '日本', '810-0000', 0.99),
    (90, 99, '2025-08-05 00:00:00', '北町9-9-9', 'みなと市', '福岡県', '日本', '810-0009', 0.99);
INSERT INTO InvoiceLine VALUES
    (0, 0, 1, 0.99, 1), (1, 0, 2, 0.99, 1), (2, 1, 1, 0.99, 1), (3, 2, 2, 0.99, 1), (4, 3, 1, 0.99, 1),
    (5, 4, 2, 0.99, 1), (6, 5, 1, 0.99, 1), (7, 6, 2, 0.99, 1), (90, 90, 1, 0.99, 1), (900, 98, 1, 0.99, 1);
