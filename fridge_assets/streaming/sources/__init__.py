"""Where the stream's readings come from: the landing folder, or Kafka."""
