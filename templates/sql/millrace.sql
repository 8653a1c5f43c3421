-- A topic: what happened. Its events never change.
CREATE TABLE orders (
  id       text NOT NULL,
  customer text NOT NULL,
  amount   numeric(12,2) NOT NULL,
  at       timestamptz NOT NULL
) WITH (event_time = 'at', lateness = '30 seconds');

-- A table: what is. The newest row of each key counts.
CREATE TABLE customers (id text PRIMARY KEY, name text NOT NULL, country text);

-- Views: what follows. They are right at every tick, however the events come.
CREATE MATERIALIZED VIEW spent AS
  SELECT c.id, c.name, count(*) AS orders, sum(o.amount) AS total
  FROM orders o JOIN customers c ON c.id = o.customer
  GROUP BY c.id, c.name
  ORDER BY total DESC;

CREATE MATERIALIZED VIEW revenue AS
  SELECT window_start AS minute, count(*) AS orders, sum(amount) AS revenue
  FROM tumble(orders, at, interval '1 minute')
  GROUP BY window_start
  ORDER BY window_start;
