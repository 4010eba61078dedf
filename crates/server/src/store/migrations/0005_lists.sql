-- What lists and feeds are served from.

-- One index for both filters: of one state the few flows are read side by side, and the other way round.
CREATE INDEX job_of_flow_and_state ON job (flow, state, seq);
DROP INDEX job_of_state;
CREATE INDEX job_of_title ON job (title, seq);
CREATE INDEX job_of_time ON job (submitted_ms, seq);
CREATE UNIQUE INDEX event_of_all_jobs ON event (seq);
