-- The Sakila sample database (a video shop; MySQL AB, Mike Hillyer; as Pagila on PostgreSQL; BSD licence).
-- The schema is written from memory, complete in its tables and keys, for SQLite and PostgreSQL alike: no triggers and
-- functions, rating and special_features as text, payment in one table; store and staff refer to each other, so
-- staff.store_id is left undeclared. The rows are our own fictional people. Planted: customer, rental and payment 0 ·
-- an address row shared by two customers (1), another by a member of staff and the store (4) · two people of one name ·
-- a payment of one customer for another's rental (5) · a payment for no rental (NULL) · an actor of a customer's name.
CREATE TABLE country (country_id INTEGER PRIMARY KEY, country VARCHAR(50) NOT NULL, last_update TIMESTAMP NOT NULL);
CREATE TABLE city (
    city_id INTEGER PRIMARY KEY, city VARCHAR(50) NOT NULL, country_id INTEGER NOT NULL REFERENCES country (country_id),
    last_update TIMESTAMP NOT NULL
);
CREATE TABLE address (
    address_id INTEGER PRIMARY KEY, address VARCHAR(50) NOT NULL, address2 VARCHAR(50), district VARCHAR(20) NOT NULL,
    city_id INTEGER NOT NULL REFERENCES city (city_id), postal_code VARCHAR(10), phone VARCHAR(20) NOT NULL,
    last_update TIMESTAMP NOT NULL
);
CREATE TABLE language (language_id INTEGER PRIMARY KEY, name CHAR(20) NOT NULL, last_update TIMESTAMP NOT NULL);
CREATE TABLE category (category_id INTEGER PRIMARY KEY, name VARCHAR(25) NOT NULL, last_update TIMESTAMP NOT NULL);
CREATE TABLE actor (
    actor_id INTEGER PRIMARY KEY, first_name VARCHAR(45) NOT NULL, last_name VARCHAR(45) NOT NULL,
    last_update TIMESTAMP NOT NULL
);
CREATE TABLE film (
    film_id INTEGER PRIMARY KEY, title VARCHAR(255) NOT NULL, description TEXT, release_year INTEGER,
    language_id INTEGER NOT NULL REFERENCES language (language_id),
    original_language_id INTEGER REFERENCES language (language_id), rental_duration SMALLINT NOT NULL,
    rental_rate NUMERIC(4, 2) NOT NULL, length SMALLINT, replacement_cost NUMERIC(5, 2) NOT NULL, rating VARCHAR(5),
    special_features TEXT, last_update TIMESTAMP NOT NULL
);
CREATE TABLE film_actor (
    actor_id INTEGER NOT NULL REFERENCES actor (actor_id), film_id INTEGER NOT NULL REFERENCES film (film_id),
    last_update TIMESTAMP NOT NULL, PRIMARY KEY (actor_id, film_id)
);
CREATE TABLE film_category (
    film_id INTEGER NOT NULL REFERENCES film (film_id), category_id INTEGER NOT NULL REFERENCES category (category_id),
    last_update TIMESTAMP NOT NULL, PRIMARY KEY (film_id, category_id)
);
CREATE TABLE film_text (film_id INTEGER PRIMARY KEY, title VARCHAR(255) NOT NULL, description TEXT);
CREATE TABLE staff (
    staff_id INTEGER PRIMARY KEY, first_name VARCHAR(45) NOT NULL, last_name VARCHAR(45) NOT NULL,
    address_id INTEGER NOT NULL REFERENCES address (address_id), picture BYTEA, email VARCHAR(50),
    store_id INTEGER NOT NULL, active BOOLEAN NOT NULL, username VARCHAR(16) NOT NULL, password VARCHAR(40),
    last_update TIMESTAMP NOT NULL
);
CREATE TABLE store (
    store_id INTEGER PRIMARY KEY, manager_staff_id INTEGER NOT NULL REFERENCES staff (staff_id),
    address_id INTEGER NOT NULL REFERENCES address (address_id), last_update TIMESTAMP NOT NULL
);
CREATE TABLE customer (
    customer_id INTEGER PRIMARY KEY, store_id INTEGER NOT NULL REFERENCES store (store_id),
    first_name VARCHAR(45) NOT NULL, last_name VARCHAR(45) NOT NULL, email VARCHAR(50),
    address_id INTEGER NOT NULL REFERENCES address (address_id), active BOOLEAN NOT NULL,
    create_date TIMESTAMP NOT NULL, last_update TIMESTAMP
);
CREATE TABLE inventory (
    inventory_id INTEGER PRIMARY KEY, film_id INTEGER NOT NULL REFERENCES film (film_id),
    store_id INTEGER NOT NULL REFERENCES store (store_id), last_update TIMESTAMP NOT NULL
);
CREATE TABLE rental (
    rental_id INTEGER PRIMARY KEY, rental_date TIMESTAMP NOT NULL,
    inventory_id INTEGER NOT NULL REFERENCES inventory (inventory_id),
    customer_id INTEGER NOT NULL REFERENCES customer (customer_id), return_date TIMESTAMP,
    staff_id INTEGER NOT NULL REFERENCES staff (staff_id), last_update TIMESTAMP NOT NULL
);
CREATE TABLE payment (
    payment_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer (customer_id),
    staff_id INTEGER NOT NULL REFERENCES staff (staff_id), rental_id INTEGER REFERENCES rental (rental_id),
    amount NUMERIC(5, 2) NOT NULL, payment_date TIMESTAMP NOT NULL
);
CREATE VIEW customer_list AS
    SELECT c.customer_id AS id, c.last_name AS name, a.address AS address, a.phone AS phone, city.city AS city
    FROM customer c JOIN address a ON c.address_id = a.address_id JOIN city ON a.city_id = city.city_id;
INSERT INTO country VALUES (1, '日本', '2025-01-01 00:00:00');
INSERT INTO city VALUES (1, 'みなと市', 1, '2025-01-01 00:00:00');
INSERT INTO address VALUES
    (1, '中央1-2-3', NULL, '福岡県', 1, '810-0000', '092-000-1001', '2025-01-01 00:00:00'),
    (2, '緑町2-3-4', NULL, '福岡県', 1, '810-0002', '090-0000-1002', '2025-01-01 00:00:00'),
    (3, '東町5-6-7', NULL, '福岡県', 1, NULL, '090-0000-1003', '2025-01-01 00:00:00'),
    (4, '本町1-1-1', NULL, '福岡県', 1, '810-0001', '092-000-7001', '2025-01-01 00:00:00');
INSERT INTO language VALUES (1, '日本語', '2025-01-01 00:00:00');
INSERT INTO category VALUES (1, 'Drama', '2025-01-01 00:00:00');
INSERT INTO actor VALUES (1, '浩', '佐藤', '2025-01-01 00:00:00'), (2, '澪', '潮', '2025-01-01 00:00:00');
INSERT INTO film VALUES
    (1, '港の朝', '港町の一日を追った記録。早朝の市から夜の灯台まで。', 2020, 1, NULL, 3, 4.99, 90, 19.99, 'G', NULL, '2025-01-01 00:00:00');
INSERT INTO film_actor VALUES (1, 1, '2025-01-01 00:00:00'), (2, 1, '2025-01-01 00:00:00');
INSERT INTO film_category VALUES (1, 1, '2025-01-01 00:00:00');
INSERT INTO film_text VALUES (1, '港の朝', '港町の一日を追った記録。早朝の市から夜の灯台まで。');
INSERT INTO staff VALUES
    (1, '健', '山本', 4, NULL, 'ken@sakila.example', 1, TRUE, 'ken', 'cb1e3a90', '2025-01-01 00:00:00');
INSERT INTO store VALUES (1, 1, 4, '2025-01-01 00:00:00');
INSERT INTO customer VALUES
    (0, 1, '花子', '髙橋', 'Hanako@mail.example', 1, TRUE, '2024-12-01 00:00:00', '2025-01-01 00:00:00'),
    (1, 1, '浩', '佐藤', 'hiroshi.s@mail.example', 2, TRUE, '2024-12-01 00:00:00', '2025-01-01 00:00:00'),
    (2, 1, '浩', '佐藤', NULL, 3, TRUE, '2024-12-01 00:00:00', NULL),
    (3, 1, '文子', '髙橋', 'fumiko@mail.example', 1, TRUE, '2024-12-01 00:00:00', '2025-01-01 00:00:00');
INSERT INTO inventory VALUES (1, 1, 1, '2025-01-01 00:00:00');
INSERT INTO rental VALUES
    (0, '2025-02-01 10:00:00', 1, 0, NULL, 1, '2025-02-01 10:00:00'),
    (1, '2025-03-01 10:00:00', 1, 1, '2025-03-04 18:00:00', 1, '2025-03-04 18:00:00'),
    (2, '2025-04-01 10:00:00', 1, 2, '2025-04-02 18:00:00', 1, '2025-04-02 18:00:00'),
    (3, '2025-05-01 10:00:00', 1, 3, '2025-05-03 18:00:00', 1, '2025-05-03 18:00:00');
INSERT INTO payment VALUES
    (0, 0, 1, 0, 4.99, '2025-02-01 10:00:00'), (1, 1, 1, 1, 4.99, '2025-03-01 10:00:00'),
    (2, 2, 1, 2, 4.99, '2025-04-01 10:00:00'), (3, 3, 1, 3, 4.99, '2025-05-01 10:00:00'),
    (4, 0, 1, NULL, 2.99, '2025-02-10 10:00:00'), (5, 1, 1, 0, 1.99, '2025-02-11 10:00:00');
