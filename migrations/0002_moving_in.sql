-- npm run keys -- assign: the slot that the rewrap job moves the plain route's keys to.
ALTER TABLE rewrap ADD COLUMN assign_to TEXT;
