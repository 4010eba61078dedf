-- The word that a user gave a job that had not ended: it is shown in the place of `cancelled`.
ALTER TABLE job ADD COLUMN ended_as TEXT;
