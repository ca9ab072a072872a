-- Restarts the room's retention after this node's last member has left. Returns nothing.
local failure, epoch, ends, deadline = findRoom()
if not failure then renewRetention(deadline) end
