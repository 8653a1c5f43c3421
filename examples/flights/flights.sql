-- Three million US flights of 2001, as they left.
CREATE TABLE flight (
  date        timestamp NOT NULL,
  delay       integer NOT NULL,   -- minutes; negative: early
  distance    integer NOT NULL,   -- miles
  origin      text NOT NULL,
  destination text NOT NULL
) WITH (event_time = 'date', lateness = '1 hour');

CREATE TABLE airport (
  iata text PRIMARY KEY, name text, city text, state text, country text,
  latitude double precision, longitude double precision
);

-- How busy and how late each airport was, hour by hour.
CREATE MATERIALIZED VIEW origin_by_hour AS
  SELECT window_start AS hour, origin, count(*) AS flights, round(avg(delay), 1) AS delay
  FROM tumble(flight, date, interval '1 hour')
  GROUP BY window_start, origin;

-- Delay by the state a flight left from.
CREATE MATERIALIZED VIEW delay_by_state AS
  SELECT a.state, count(*) AS flights, round(avg(f.delay), 2) AS delay
  FROM flight f JOIN airport a ON a.iata = f.origin
  GROUP BY a.state;

-- The ten worst routes of each day, among those flown at least three times.
CREATE MATERIALIZED VIEW worst_routes AS
  SELECT day, place, origin, destination, flights, delay FROM (
    SELECT *, row_number() OVER (PARTITION BY day ORDER BY delay DESC, flights DESC) AS place FROM (
      SELECT window_start AS day, origin, destination, count(*) AS flights, round(avg(delay), 1) AS delay
      FROM tumble(flight, date, interval '1 day')
      GROUP BY window_start, origin, destination HAVING count(*) >= 3) AS route) AS ranked
  WHERE place <= 10;

-- Airports by their share of flights more than 15 minutes late.
CREATE MATERIALIZED VIEW late_share AS
  SELECT origin, count(*) AS flights, count(*) FILTER (WHERE delay > 15) AS late,
         round(100.0 * count(*) FILTER (WHERE delay > 15) / count(*), 2) AS percent
  FROM flight GROUP BY origin ORDER BY percent DESC;
