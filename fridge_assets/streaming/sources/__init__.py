"""Where the stream's readings come from: the landing folder, an MQTT broker, or Kafka."""
