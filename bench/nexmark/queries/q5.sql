-- Hot items: the auctions with the most bids of the last 10 seconds, every 2 seconds.
CREATE MATERIALIZED VIEW q5 AS
SELECT bids.auction, bids.num, bids.window_start
FROM (
  SELECT auction, window_start, window_end, count(*) AS num
  FROM hop(bid, date_time, interval '2 seconds', interval '10 seconds')
  GROUP BY auction, window_start, window_end
) bids
JOIN (
  SELECT max(num) AS most, window_start, window_end
  FROM (
    SELECT auction, window_start, window_end, count(*) AS num
    FROM hop(bid, date_time, interval '2 seconds', interval '10 seconds')
    GROUP BY auction, window_start, window_end
  ) counts
  GROUP BY window_start, window_end
) highest ON bids.window_start = highest.window_start AND bids.window_end = highest.window_end
WHERE bids.num >= highest.most;
