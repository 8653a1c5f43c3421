-- Highest bid: the bids with the highest price of every 10 seconds.
CREATE MATERIALIZED VIEW q7 AS
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid b
JOIN (
  SELECT max(price) AS most, window_end
  FROM tumble(bid, date_time, interval '10 seconds')
  GROUP BY window_start, window_end
) highest ON b.price = highest.most
WHERE b.date_time BETWEEN highest.window_end - interval '10 seconds' AND highest.window_end;
