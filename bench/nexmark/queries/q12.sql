-- Windowed count: bids of each bidder in every 10 seconds, by event time.
CREATE MATERIALIZED VIEW q12 AS
SELECT bidder, count(*) AS bids, window_start, window_end
FROM tumble(bid, date_time, interval '10 seconds')
GROUP BY bidder, window_start, window_end;
