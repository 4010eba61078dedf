-- What lists show of a job, beside its plan and options, which are a hundred times as large: a list
-- of all jobs reads only this.
CREATE INDEX job_line ON job (seq, id, title, state, submitted_ms, finished_ms, flow, mode);
