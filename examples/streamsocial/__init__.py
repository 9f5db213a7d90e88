"""StreamSocial, a small social network that shows how pennon is used.

Somebody posts: `gateway` (HTTP, strangers call it) asks `posts` (HTTP, only ours call it) to keep the post, which
announces it on a Kafka topic, from where `feed` takes it. The gateway decides once, for the author, how feeds are
ranked; the decision travels with the request and with the record. `python -m streamsocial` runs all of it.
"""
