-- Publishes one event; see publish.lua.
return publish(5, #ARGV)
