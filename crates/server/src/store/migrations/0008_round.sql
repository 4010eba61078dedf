-- How often what a stage asks of a service outside was to be asked anew: all attempts of one round ask under
-- the same token.
ALTER TABLE stage ADD COLUMN round BIGINT NOT NULL DEFAULT 0;
