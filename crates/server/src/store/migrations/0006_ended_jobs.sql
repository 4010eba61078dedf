-- Ended jobs by their end, so that those that are not kept any longer are found without reading the others.
CREATE INDEX job_ended ON job (finished_ms) WHERE finished_ms IS NOT NULL;
