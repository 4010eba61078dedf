-- Failed tries are counted by the kind of their cause. JSON; NULL where there are none, or where an older
-- version has counted them in failed_tries only, which is the sum.
ALTER TABLE stage ADD COLUMN tries TEXT;
