-- Predictions by program on the page History: a rare program has few events among millions.
-- Few programs send many events, so the index has few distinct keys: 7 bytes an event.

CREATE INDEX prediction_events_by_source ON prediction_events (source);
