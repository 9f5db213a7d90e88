"""StreamSocial, a small social network that shows how pennon is used.

Somebody writes: `gateway` (HTTP, strangers call it) asks `posts` (HTTP, only ours call it) to keep it, which announces
it on a Kafka topic. From there `feed` takes it and tells the followers, `notify` wakes them with what `profiles` knows,
`moderation` reads along, and `analytics` counts how the ranking experiment goes. The gateway decides once, for the user
who is logged in, `feed` once for each follower; the decisions travel with every request and record.
`python -m streamsocial` runs all of it.
"""
