"""Feature flags and experiments whose decisions travel with the request, over HTTP and Kafka."""
